/** placeholder */
import type { ProcessControl } from '../process-control.ts';
export function windowsControl(): ProcessControl {
  throw new Error('not yet');
}
