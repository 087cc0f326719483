/** The connector with real processes: what its events alone tell. */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { accountNames } from '../../../src/actors/scanner/accounts.ts';
import { type EventSocket, openEventSocket } from '../../../src/actors/scanner/event-socket.ts';
import { PROC_EVENT_EXEC, PROC_EVENT_FORK } from '../../../src/actors/scanner/netlink.ts';
import { sourceFactories } from '../../../src/actors/scanner/platform.ts';
import { type ProcReader, procReader } from '../../../src/actors/scanner/proc.ts';
import type { SourceContext } from '../../../src/actors/scanner/source.ts';
import { ProcEventsSource } from '../../../src/actors/scanner/sources/proc-events.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { BOOT_ID, Games, hasConnector, Watch } from './harness.ts';

let games: Games;
let watch: Watch | undefined;
beforeAll(() => {
  games = new Games();
});
/** The oracle, after each scenario: nothing runs once all of it was ended. */
afterEach(async () => {
  try {
    await games.end();
    await watch?.agreesWithPs([]);
  } finally {
    await watch?.stop();
    watch = undefined;
  }
});
afterAll(() => games.close());

describe.skipIf(!hasConnector)('proc-events alone', () => {
  test('a reconcile finds nothing that the events had not told', async () => {
    watch = await Watch.start({
      games: [games.config('Player')],
      source: 'proc-events',
      reconcileSeconds: 0.5,
    });
    const child = games.spawn(games.copy(games.name('Player')), ['hold']);
    const worked = watch.worked;
    await watch.until(() => watch!.history().length === 1);
    child.kill('SIGKILL');
    await watch.until(() => watch!.history().length === 2);
    await expect.poll(() => watch!.worked, { timeout: 5_000 }).toBeGreaterThan(worked + 1);
    expect(watch.calls.stats()).toMatchObject({ tracked: 0, missed: 0 });
  });
});

describe.skipIf(!hasConnector)('games that live 5 ms', () => {
  const LIVES = 200;
  const LIFE_MS = 5;

  // Nothing but its files in /proc says which program has executed, and they go with it. So a game can only be told
  // when the machine lets the scanner look within its life; a busy one may not, and that is what is excepted here.
  test('200 of them: each that was looked at in its life is told, with the kernel’s moments, and none twice', async () => {
    const kernel = openEventSocket();
    kernel.listen();
    kernel.listen((PROC_EVENT_FORK | PROC_EVENT_EXEC) >>> 0);
    const lookedAt = new Map<number, number>();
    const noting = ({ rules }: SourceContext): ProcReader => {
      const now = () => systemClock.monotonic();
      const reader = procReader({ rules, bootId: BOOT_ID, accountName: accountNames(), now });
      const look: ProcReader['look'] = (pid, watched) => {
        const seen = reader.look(pid, watched);
        if (!lookedAt.has(pid)) lookedAt.set(pid, now());
        return seen;
      };
      return { ...reader, look };
    };
    watch = await Watch.start({
      games: [games.config('Player')],
      source: 'proc-events',
      reconcileSeconds: 3_600,
      factories: {
        ...sourceFactories(),
        'proc-events': (context) => new ProcEventsSource({ context, reader: noting(context) }),
      },
    });
    const path = games.copy(games.name('Player'));
    const script = `i=0; while [ $i -lt ${LIVES} ]; do "${path}" nap ${LIFE_MS}; i=$((i+1)); done`;
    const shell = games.spawn('/usr/bin/nice', ['-n', '10', '/bin/sh', '-c', script]);
    await once(shell, 'exit');
    const execs = execsOfChildren(kernel, shell.pid);
    kernel.close();
    expect(execs.size).toBe(LIVES);

    const inTime = [...execs].filter(
      ([pid, atMs]) => (lookedAt.get(pid) ?? Number.POSITIVE_INFINITY) < atMs + LIFE_MS,
    );
    await watch.until(() => inTime.every(([pid]) => watch?.history(pid).length === 2));
    if (inTime.length < LIVES)
      console.log(`${LIVES - inTime.length} of ${LIVES} games were over before a look`);
    for (const { process } of watch.of('process.started')) {
      expect(process.startedAwakeMs).toBe(execs.get(process.pid));
    }
    for (const { identity, endedAwakeMs } of watch.of('process.stopped')) {
      expect(watch.history(identity.pid)).toHaveLength(2);
      expect(endedAwakeMs).toBeGreaterThanOrEqual((execs.get(identity.pid) ?? Number.NaN) + LIFE_MS);
    }
    expect(watch.calls.stats()).toMatchObject({ tracked: 0, missed: 0, rescans: 0, overflows: 0 });
  });

  /** Pid → moment of the exec, of all processes that this one forked. */
  function execsOfChildren(kernel: EventSocket, parent: number): Map<number, number> {
    const children = new Set<number>();
    const execs = new Map<number, number>();
    for (;;) {
      const received = kernel.take();
      if (received.kind === 'empty') return execs;
      if (received.kind !== 'event') throw new Error(`the test lost events: ${received.kind}`);
      const { event } = received;
      if (event?.what === 'fork' && event.parent === parent) children.add(event.child);
      if (event?.what === 'exec' && children.has(event.pid)) execs.set(event.pid, event.atMs);
    }
  }
});
