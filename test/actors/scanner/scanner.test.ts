/** The scanner around its sources: order, fall-over and return, the unknown state, new rules. Sources are given. */
import { describe, expect, test } from 'vitest';
import type { Look, LookCause } from '../../../src/actors/scanner/behavior.ts';
import type {
  ProcessSource,
  SourceContext,
  SourceFactories,
  SourceSink,
} from '../../../src/actors/scanner/source.ts';
import { returnDelayMs, sourceOrder } from '../../../src/actors/scanner/source.ts';
import type { SourceName } from '../../../src/protocol/config.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { Watch, type WatchOptions } from './harness.ts';

/** A source whose every word is the test's. */
class GivenSource implements ProcessSource {
  readonly lookEveryMs = 1_000;
  sink: SourceSink | null = null;
  readonly causes: LookCause[] = [];
  readonly lookedAt: number[] = [];

  constructor(
    readonly name: SourceName,
    readonly context: SourceContext,
    readonly machine: Machine,
  ) {}

  async start(sink: SourceSink): Promise<void> {
    this.machine.tried.push(this.name);
    const reason = this.machine.broken.get(this.name);
    if (reason) throw new Error(reason);
    this.sink = sink;
    this.tell('rescan');
  }

  rescan(cause: LookCause): void {
    this.tell(cause);
  }

  look(pids: readonly number[]): void {
    this.lookedAt.push(...pids);
  }

  stop(): void {
    this.sink = null;
  }

  tell(cause: LookCause = 'watch'): void {
    this.causes.push(cause);
    const looks = new Map<number, Look>(this.context.watched().map((pid) => [pid, { is: 'gone' }]));
    for (const [pid, exe] of this.machine.running) {
      const match = this.context.rules().match({ exe, argv: [] });
      const process = { pid, startKey: 'k', path: exe, command: exe, user: 'kid', startedAwakeMs: 1 };
      looks.set(
        pid,
        match
          ? { is: 'game', sighting: { process: { ...process, ...match }, parentPid: 1 } }
          : { is: 'other', startKey: 'k' },
      );
    }
    this.sink?.observe({ type: 'looks', cause, atMs: this.context.clock.monotonic(), looks });
  }
}

class Machine {
  readonly running = new Map<number, string>();
  readonly broken = new Map<SourceName, string>();
  readonly tried: SourceName[] = [];
  readonly made: GivenSource[] = [];
  readonly clock = new FakeClock();

  /** The source that was made last under this name. */
  source(name: SourceName): GivenSource {
    const source = this.made.findLast((one) => one.name === name);
    if (!source) throw new Error(`${name} was never made`);
    return source;
  }

  watch(options: Partial<WatchOptions> = {}): Promise<Watch> {
    const factory = (name: SourceName) => (context: SourceContext) => {
      const source = new GivenSource(name, context, this);
      this.made.push(source);
      return source;
    };
    const factories: SourceFactories = {
      'proc-events': factory('proc-events'),
      procfs: factory('procfs'),
      toolhelp: factory('toolhelp'),
      'ps-list': factory('ps-list'),
    };
    return Watch.start({ games: [GAME], factories, clock: this.clock, ...options });
  }
}

const GAME = { id: 'roblox', name: 'Roblox', match: [{ name: 'player' }], ignore: [] };
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('which source', () => {
  test.each([
    ['auto', 'linux', ['proc-events', 'procfs', 'ps-list']],
    ['auto', 'win32', ['toolhelp', 'ps-list']],
    ['auto', 'darwin', ['ps-list']],
    ['ps-list', 'linux', ['ps-list', 'proc-events', 'procfs']],
    ['toolhelp', 'linux', ['toolhelp', 'proc-events', 'procfs', 'ps-list']],
  ] as const)('%s on %s: %j', (wanted, platform, order) => {
    expect(sourceOrder(wanted, platform)).toEqual(order);
  });

  test('auto takes the best that works, and says why nothing better', async () => {
    const machine = new Machine();
    machine.broken.set('proc-events', 'in a container');
    const watch = await machine.watch();
    const reason = 'proc-events: in a container';
    expect(watch.messages).toEqual([{ type: 'processes.snapshot', processes: [], source: 'procfs', reason }]);
    expect(watch.calls.stats().source).toBe('procfs');
  });

  test('a source that was asked for and does not work is told, replaced, and tried again', async () => {
    const machine = new Machine();
    machine.broken.set('procfs', 'no /proc');
    const watch = await machine.watch({ source: 'procfs' });
    expect(watch.messages).toMatchObject([{ source: 'proc-events', reason: 'procfs: no /proc' }]);
    machine.broken.clear();
    machine.clock.advance(returnDelayMs(0));
    await settled();
    expect(watch.of('source.changed').at(-1)).toMatchObject({ source: 'procfs' });
  });

  test('with none that works the scanner does not start, and says why', async () => {
    const machine = new Machine();
    for (const name of ['proc-events', 'procfs', 'ps-list'] as const) machine.broken.set(name, `no ${name}`);
    await expect(machine.watch()).rejects.toThrow(/no proc-events.*no procfs.*no ps-list/);
  });
});

describe('when a source dies', () => {
  test('the next takes over, tells what differs, and the better one comes back when it can', async () => {
    const machine = new Machine();
    machine.running.set(7, '/player');
    const watch = await machine.watch();
    machine.broken.set('proc-events', 'still broken');
    machine.source('proc-events').sink?.died('the socket failed');
    machine.running.delete(7);
    machine.running.set(8, '/player');
    await settled();
    expect(watch.history()).toEqual(['stopped:gone', 'started:roblox']);
    expect(watch.of('source.changed')).toEqual([
      { type: 'source.changed', source: 'procfs', reason: 'the socket failed' },
    ]);
    expect(machine.source('proc-events').sink).toBeNull();

    machine.clock.advance(returnDelayMs(0));
    await settled();
    expect(watch.calls.stats().source).toBe('procfs');
    machine.broken.clear();
    machine.clock.advance(returnDelayMs(1));
    await settled();
    expect(watch.calls.stats().source).toBe('proc-events');
    expect(machine.source('procfs').sink).toBeNull();
    // One that runs on through all of it is told once.
    expect(watch.history(8)).toEqual(['started:roblox']);
  });

  test('the pauses between tries double up to five minutes', () => {
    expect([0, 1, 2, 20].map(returnDelayMs)).toEqual([5_000, 10_000, 20_000, 300_000]);
  });

  test('stopped, it tries nothing more', async () => {
    const machine = new Machine();
    const watch = await machine.watch();
    machine.broken.set('proc-events', 'gone for good');
    machine.source('proc-events').sink?.died('the socket failed');
    await settled();
    await watch.stop();
    expect(machine.clock.pendingTimers).toBe(0);
    expect(machine.source('procfs').sink).toBeNull();
  });
});

describe('E3 a scan that fails', () => {
  test('three times in a row: unknown, told once, no stop; known again with the next that works', async () => {
    const machine = new Machine();
    machine.running.set(7, '/player');
    const watch = await machine.watch({ platform: 'darwin' });
    const source = machine.source('ps-list');
    for (let i = 0; i < 5; i++) source.sink?.failed('ps hangs');
    expect(watch.messages.slice(1)).toEqual([{ type: 'scan.unknown', reason: 'ps hangs', failures: 3 }]);
    const worked = watch.worked;
    source.tell();
    expect(watch.messages.at(-1)).toEqual({ type: 'scan.known' });
    expect(watch.worked).toBe(worked + 1);
    expect(watch.history()).toEqual([]);
  });

  test('once or twice: nothing is told', async () => {
    const machine = new Machine();
    const watch = await machine.watch({ platform: 'darwin' });
    const source = machine.source('ps-list');
    for (let i = 0; i < 3; i++) {
      source.sink?.failed('ps hangs');
      source.sink?.failed('ps hangs');
      source.tell();
    }
    expect(watch.messages).toHaveLength(1);
  });

  test('where there is another source, it takes over', async () => {
    const machine = new Machine();
    const watch = await machine.watch();
    for (let i = 0; i < 3; i++) machine.source('proc-events').sink?.failed('/proc cannot be listed');
    await settled();
    expect(watch.messages.map(({ type }) => type)).toEqual([
      'processes.snapshot',
      'scan.unknown',
      'scan.known',
      'source.changed',
    ]);
  });
});

describe('configure', () => {
  test('new rules hold at once for what runs', async () => {
    const machine = new Machine();
    machine.running.set(7, '/player').set(8, '/editor');
    const watch = await machine.watch();
    expect(watch.snapshot.map(({ pid }) => pid)).toEqual([7]);
    await watch.calls.configure(watch.config({ games: [{ ...GAME, match: [{ name: 'editor' }] }] }));
    expect(watch.history()).toEqual(['stopped:config', 'started:roblox']);
    expect(watch.of('process.started')[0]).toMatchObject({ found: true, process: { pid: 8 } });
  });

  test('another source is taken when the configuration asks for it', async () => {
    const machine = new Machine();
    machine.running.set(7, '/player');
    const watch = await machine.watch();
    await watch.calls.configure(watch.config({ games: [GAME], source: 'ps-list' }));
    expect(watch.calls.stats().source).toBe('ps-list');
    expect(machine.source('proc-events').sink).toBeNull();
    expect(watch.history()).toEqual([]);
  });

  test('a source that this machine has not: the one that runs goes on, and why is told', async () => {
    const machine = new Machine();
    machine.broken.set('toolhelp', 'no kernel32.dll');
    const watch = await machine.watch();
    const running = machine.source('proc-events');
    await watch.calls.configure(watch.config({ games: [GAME], source: 'toolhelp' }));
    expect(watch.of('source.changed')).toEqual([
      {
        type: 'source.changed',
        source: 'proc-events',
        reason: 'the configuration asks for it; toolhelp: no kernel32.dll',
      },
    ]);
    expect(machine.source('proc-events')).toBe(running);
    expect(running.sink).not.toBeNull();
    await watch.stop();
    expect(machine.clock.pendingTimers).toBe(0);
  });

  test('back to auto: what was asked for before is tried no more', async () => {
    const machine = new Machine();
    machine.broken.set('toolhelp', 'no kernel32.dll');
    const watch = await machine.watch({ source: 'toolhelp' });
    await watch.calls.configure(watch.config({ games: [GAME], source: 'auto' }));
    expect(watch.of('source.changed').at(-1)).toMatchObject({ source: 'proc-events' });
    machine.tried.length = 0;
    machine.broken.clear();
    machine.clock.advance(returnDelayMs(20));
    await settled();
    expect(machine.tried).toEqual([]);
    expect(watch.calls.stats().source).toBe('proc-events');
  });
});

test('the children of a game that ended are looked at after a moment', async () => {
  const machine = new Machine();
  machine.running.set(7, '/player');
  await machine.watch();
  const source = machine.source('proc-events');
  source.sink?.observe({ type: 'fork', parent: 7, child: 8, atMs: 20 });
  source.sink?.observe({ type: 'exit', pid: 7, atMs: 5, successor: null });
  expect(source.lookedAt).toEqual([]);
  machine.clock.advance(1_000);
  expect(source.lookedAt).toEqual([8]);
});
