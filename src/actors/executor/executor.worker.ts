/** The entry of the pool's threads; piscina calls `close` by its name. Nobody imports this file. */
import type { CloseReport } from '../../protocol/commands.ts';
import type { CloseTask } from '../../protocol/messages.ts';
import { systemClock } from '../../runtime/clock.ts';
import { closeProcess } from './close.ts';
import { platformControl } from './platform/control.ts';

export async function close(task: CloseTask): Promise<CloseReport> {
  const control = await platformControl(process.platform);
  return closeProcess({ ...task, ownPids: [...task.ownPids, process.pid] }, control, systemClock);
}
