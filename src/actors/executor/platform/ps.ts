/** placeholder */
import type { ProcessControl } from '../process-control.ts';
export function psControl(): ProcessControl {
  throw new Error('not yet');
}
