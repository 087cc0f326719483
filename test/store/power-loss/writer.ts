/**
 * Drives a store as an agent would and says on stdout what it has done, one JSON line each: the trace of its system calls
 * is what the power-loss test cuts. Timers run ten times as fast, so that idle times and their checkpoints come soon.
 * Arguments: directory, boot id, how many steps, `kill` | `clean`.
 */
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../../src/protocol/ports.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Marker } from './history.ts';

const [dir = '', bootId = '', steps = '0', end] = process.argv.slice(2);
const FASTER = 10;

const clock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms / FASTER);
    return () => clearTimeout(timer);
  },
};
const tell = (marker: Marker) => writeSync(1, `${JSON.stringify(marker)}\n`);

const store = openStore({ dir, bootId, clock, reserveBytes: 64 * 1024 });
store.clients.open('desk');
let counter = Number(store.meta.get('counter') ?? 0);

function append(count: number): void {
  const { epoch, lastOffset } = store.log.ends();
  tell({ kind: 'appending', epoch, from: lastOffset + 1, to: lastOffset + count });
  const message = 'm'.repeat(10 + ((counter * 37) % 600));
  store.commit(() => {
    store.meta.set('counter', String(++counter));
    const events = Array.from({ length: count }, () => ({
      type: 'notification' as const,
      data: { title: `n${counter}`, message, type: 'message' as const },
    }));
    for (const { epoch, offset, id } of store.log.append(events))
      tell({ kind: 'appended', epoch, offset, id });
  });
}

async function durable(): Promise<void> {
  const cursor = store.clients.get('desk')?.cursor ?? null;
  const promise = { last: store.log.latest(), counter, cursor };
  await store.durable();
  tell({ kind: 'durable', ...promise });
}

for (let step = 1; step <= Number(steps); step++) {
  append(1 + (step % 4));
  if (step % 3 === 0) store.clients.acknowledge('desk', store.log.latest());
  if (step % 5 === 0) await durable();
  if (step % 7 === 0) await pause(5);
  if (step % 45 === 0) {
    tell({ kind: 'pruning', epoch: store.log.ends().epoch, upTo: store.log.ends().lastOffset - 60 });
    store.prune({ max_events: 60, max_days: 30 });
  }
  if (step % 40 === 0) await pause(160);
}
if (end === 'kill') process.kill(process.pid, 'SIGKILL');
const last = store.log.latest();
const cursor = store.clients.get('desk')?.cursor ?? null;
await store.close();
tell({ kind: 'durable', last, counter, cursor });
