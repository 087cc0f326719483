/** The executor's thread as it is, with faults on order: only in the midst of a close, since at rest it runs nothing. */
import { close as realClose } from '../../src/actors/executor/executor.worker.ts';
import type { WatchedCloses } from '../../src/actors/executor/pool.ts';
import type { CloseReport } from '../../src/protocol/commands.ts';
import { obeyFaults } from './faults.ts';

let closes = 0;
obeyFaults('executor', () => closes > 0);

export async function close(watched: WatchedCloses): Promise<readonly CloseReport[]> {
  closes += 1;
  try {
    return await realClose(watched);
  } finally {
    closes -= 1;
  }
}
