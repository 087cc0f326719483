/** A process as the key of a map: its pid and its start, since a pid alone is reused. */
import type { ProcessIdentity } from '../protocol/messages.ts';

export function processKey({ pid, startKey }: ProcessIdentity): string {
  return `${pid} ${startKey}`;
}
