/** The floor's thread: the process connector, one link per exec, and a message. Nothing else. */
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { openEventSocket } from '../../../src/actors/scanner/event-socket.ts';
import { PROC_EVENT_EXEC, PROC_EVENT_EXIT } from '../../../src/actors/scanner/netlink.ts';
import { monotonicMs } from '../../../src/runtime/clock.ts';

const socket = openEventSocket();
const playing = new Set<number>();
socket.listen();
socket.listen((PROC_EVENT_EXEC | PROC_EVENT_EXIT) >>> 0);
socket.watch((received) => {
  const readMs = monotonicMs();
  if (received.kind !== 'event' || !received.event) return;
  const { event } = received;
  if (event.what === 'exec' && isGame(event.pid)) {
    playing.add(event.pid);
    parentPort?.postMessage({ kind: 'start', pid: event.pid, readMs });
  } else if (event.what === 'exit' && event.leader && playing.delete(event.pid)) {
    parentPort?.postMessage({ kind: 'stop', pid: event.pid, readMs });
  }
});

function isGame(pid: number): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)) === workerData;
  } catch {
    return false;
  }
}
