/** The event socket on the kernel itself: what it dropped is told, and what follows is heard. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { openEventSocket, type Received } from '../../../src/actors/scanner/event-socket.ts';
import { PROC_EVENT_EXEC } from '../../../src/actors/scanner/netlink.ts';
import { hasConnector } from './harness.ts';

/** The kernel makes it the least it allows: room for a few events. */
const TINY_BYTES = 1;

describe.skipIf(!hasConnector)('the event socket', () => {
  test('an overflow is told each time, and the events after it are heard', async () => {
    const socket = openEventSocket(TINY_BYTES);
    const inbox: Received[] = [];
    let wake = () => {};
    const next = async (): Promise<Received> => {
      while (inbox.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return inbox.shift() ?? { kind: 'empty' };
    };
    try {
      socket.listen();
      socket.listen(PROC_EVENT_EXEC);
      socket.watch((received) => {
        inbox.push(received);
        wake();
      });
      for (const round of [1, 2]) {
        // Nobody reads meanwhile: this thread waits for the child.
        execs(100);
        const told: Received['kind'][] = [];
        for (let r = await next(); r.kind !== 'overflow'; r = await next()) told.push(r.kind);
        for (let r = socket.take(); r.kind !== 'empty'; r = socket.take()) told.push(r.kind);
        expect(told.length, `round ${round}`).toBeLessThan(100);
        const heard = next();
        execs(1);
        let first = await heard;
        // Others on this machine start programs too, and there is room for a few only: what fitted in comes after it.
        while (first.kind === 'overflow') first = await next();
        expect(first).toMatchObject({ kind: 'event', event: { what: 'exec' } });
      }
    } finally {
      socket.close();
    }
  });
});

/** So many execs, and a shell's own. */
function execs(count: number): void {
  const script = `i=0; while [ $i -lt ${count} ]; do /bin/true; i=$((i+1)); done`;
  expect(spawnSync('/bin/sh', ['-c', script]).status).toBe(0);
}
