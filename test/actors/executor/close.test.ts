/** The decisions of a close, on a scripted platform and a clock of the test's own. */
import { describe, expect, it } from 'vitest';
import { closeProcess, FORCE_WAIT_MS } from '../../../src/actors/executor/close.ts';
import {
  AccessDenied,
  type Attempt,
  isForkOf,
  isStill,
  type Marked,
  type ProcessControl,
  type Relative,
  type SeenProcess,
} from '../../../src/actors/executor/process-control.ts';
import type { CloseTask } from '../../../src/protocol/messages.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

const GAME = { path: '/games/player', command: '/games/player --play' };
const OWN = 7;

interface Life extends SeenProcess {
  readonly parent: number;
}

/** A machine whose processes do what the test says. */
class Machine implements ProcessControl {
  readonly processes = new Map<number, Life>();
  readonly touched: string[] = [];
  lists = 0;
  /** Each has room for 50 processes. */
  turns = 0;
  #left = 50;
  readonly pace = {
    isOver: () => this.#left-- <= 0,
    next: async () => {
      this.turns += 1;
      this.#left = 50;
    },
  };
  /** Careful ones: a long command line is read for each. */
  looks = 0;
  onAsk: (pid: number) => Attempt = () => ({ kind: 'done' });
  onForce: (pid: number) => Attempt = (pid) => {
    this.processes.delete(pid);
    return { kind: 'done' };
  };

  run(pid: number, over: Partial<Life> = {}): this {
    this.processes.set(pid, { pid, startKey: `s${pid}`, parent: 1, ...GAME, ...over });
    return this;
  }

  look(pid: number): SeenProcess | null {
    this.looks += 1;
    return this.processes.get(pid) ?? null;
  }

  runs(marked: Marked): boolean {
    return isStill(marked, this.processes.get(marked.pid) ?? null);
  }

  newestPid(): number | null {
    return Math.max(...this.processes.keys());
  }

  relatives(pids: ReadonlySet<number>, root: SeenProcess): Relative[] {
    this.lists += 1;
    const all = [...this.processes.values()];
    return all.filter((p) => pids.has(p.parent) || isForkOf(root, p));
  }

  ask({ pid }: Marked): Attempt {
    this.touched.push(`ask ${pid}`);
    return this.onAsk(pid);
  }

  force({ pid }: Marked): Attempt {
    this.touched.push(`force ${pid}`);
    return this.onForce(pid);
  }
}

function task(over: Partial<CloseTask['target']> = {}, waitMs = 5_000): CloseTask {
  return { target: { pid: 100, startKey: 's100', name: 'player', ...GAME, ...over }, waitMs, ownPids: [OWN] };
}

/** Runs a close while time passes in steps of `stepMs`; returns its report. */
async function closing(machine: Machine, order = task(), clock = new FakeClock()) {
  let done = false;
  const report = closeProcess(order, machine, clock).finally(() => {
    done = true;
  });
  while (!done) {
    await Promise.resolve();
    await Promise.resolve();
    if (!done) clock.advance(10);
  }
  expect(clock.pendingTimers).toBe(0);
  return report;
}

const stagesOf = (report: Awaited<ReturnType<typeof closing>>) => report.stages?.map((s) => s.stage);

describe('closing a process', () => {
  it('K4: asks first, and a process that goes by itself is not forced', async () => {
    const machine = new Machine().run(100);
    machine.onAsk = (pid) => {
      machine.processes.delete(pid);
      return { kind: 'done' };
    };
    const report = await closing(machine);
    expect(report).toMatchObject({ pid: 100, name: 'player', outcome: 'closed' });
    expect(stagesOf(report)).toEqual(['accepted', 'asked', 'verified']);
    expect(machine.touched).toEqual(['ask 100']);
  });

  it('K4: forces what still runs after the wait, then verifies', async () => {
    const machine = new Machine().run(100);
    const report = await closing(machine, task({}, 2_000));
    expect(report.outcome).toBe('closed');
    expect(stagesOf(report)).toEqual(['accepted', 'asked', 'forced', 'verified']);
    expect(report.stages?.find((s) => s.stage === 'forced')?.at_ms).toBeGreaterThanOrEqual(2_000);
    expect(report.waited_ms).toBeLessThan(2_100);
  });

  const wanted = (yes: boolean) => {
    const withdrawn = new SharedArrayBuffer(4);
    Atomics.store(new Int32Array(withdrawn), 0, yes ? 0 : 1);
    return withdrawn;
  };

  it('what nobody wants closed any more is neither asked nor forced, and it says so', async () => {
    const late = new Machine().run(100);
    const report = await closing(late, { ...task(), withdrawn: wanted(false) });
    expect(report).toMatchObject({ outcome: 'failed', error: expect.stringContaining('withdrawn') });
    expect(late.touched).toEqual([]);

    const asked = new Machine().run(100);
    const withdrawn = wanted(true);
    asked.onAsk = () => {
      Atomics.store(new Int32Array(withdrawn), 0, 1);
      return { kind: 'done' };
    };
    expect(await closing(asked, { ...task(), withdrawn })).toMatchObject({ outcome: 'failed' });
    expect(asked.touched).toEqual(['ask 100']);
  });

  it('K4: forces at once where asking cannot work', async () => {
    const machine = new Machine().run(100);
    machine.onAsk = () => ({ kind: 'cannot' });
    const report = await closing(machine);
    expect(report.outcome).toBe('closed');
    expect(stagesOf(report)).toEqual(['accepted', 'forced', 'verified']);
    expect(report.waited_ms).toBeLessThan(200);
  });

  it('K4: a process that is gone already is not_running', async () => {
    const report = await closing(new Machine());
    expect(report).toMatchObject({ outcome: 'not_running' });
  });

  it.each([
    ['another start', { startKey: 's-later' }],
    ['another executable', { path: '/usr/bin/editor' }],
    ['another command line', { command: '/games/player --editor' }],
  ])('K4: a pid that now has %s is not touched', async (_what, now) => {
    const machine = new Machine().run(100, now);
    expect((await closing(machine)).outcome).toBe('not_running');
    expect(machine.touched).toEqual([]);
  });

  it('K4: a process that becomes another program while it is waited for is not forced', async () => {
    const machine = new Machine().run(100);
    machine.onAsk = () => {
      machine.run(100, { path: '/usr/bin/editor', command: 'editor' });
      return { kind: 'done' };
    };
    expect((await closing(machine)).outcome).toBe('closed');
    expect(machine.touched).toEqual(['ask 100']);
  });

  it('K4: one that goes on as the same executable with other words is not forced, and failed, never closed', async () => {
    const machine = new Machine().run(100);
    machine.onAsk = () => {
      machine.run(100, { command: '/games/player --again' });
      return { kind: 'done' };
    };
    const report = await closing(machine);
    expect(report).toMatchObject({ outcome: 'failed', error: expect.stringContaining('left alone') });
    expect(machine.touched).toEqual(['ask 100']);
  });

  it('K4: what is renamed and reworded in one execution is forced like any game', async () => {
    const machine = new Machine().run(100, { execution: 'e1' });
    machine.onAsk = () => {
      machine.run(100, { execution: 'e1', path: '/games/notes', command: 'notes' });
      return { kind: 'done' };
    };
    const report = await closing(machine, task({ execution: 'e1' }, 100));
    expect(report.outcome).toBe('closed');
    expect(machine.touched).toEqual(['ask 100', 'force 100']);
  });

  it('K4: children that run the same program are closed with it, others are not', async () => {
    const machine = new Machine()
      .run(100)
      .run(101, { parent: 100 })
      .run(102, { parent: 101 })
      .run(103, { parent: 100, path: '/usr/bin/helper', command: 'helper' })
      .run(104, { parent: 1 });
    const report = await closing(machine, task({}, 100));
    expect(report.outcome).toBe('closed');
    expect([...machine.processes.keys()]).toEqual([103, 104]);
  });

  it('K4: a child that is born while the parent is forced is forced too', async () => {
    const machine = new Machine().run(100);
    machine.onForce = (pid) => {
      if (pid === 100 && !machine.processes.has(101)) machine.run(101, { parent: 100 });
      else machine.processes.delete(pid);
      return { kind: 'done' };
    };
    expect((await closing(machine, task({}, 100))).outcome).toBe('closed');
    expect(machine.processes.size).toBe(0);
  });

  it('K4: a fork that it leaves behind as it ends is closed with it, and one of nobody’s that was there before', async () => {
    const execution = 'e1';
    const machine = new Machine().run(100, { execution }).run(50, { execution });
    machine.onAsk = (pid) => {
      machine.processes.delete(pid);
      machine.run(pid + 100, { execution });
      return { kind: 'done' };
    };
    expect((await closing(machine, task({ execution }))).outcome).toBe('closed');
    expect(machine.touched).toEqual(['ask 100', 'ask 50', 'force 200', 'force 150']);
    expect(machine.processes.size).toBe(0);
  });

  it('while nothing is born the processes are listed once, however long it takes', async () => {
    const machine = new Machine().run(100).run(300);
    machine.onForce = () => ({ kind: 'done' });
    expect((await closing(machine)).outcome).toBe('failed');
    expect(machine.lists).toBe(1);
  });

  it('K4: what only looks like its execution is no fork of it', async () => {
    const execution = 'e1';
    const machine = new Machine()
      .run(100, { execution, uid: 1_000 })
      .run(101, { execution, uid: 1_001 })
      .run(102, { execution, uid: 1_000, command: '/games/player --other' })
      .run(103, { execution, uid: 1_000, path: '/usr/bin/editor' });
    expect((await closing(machine, task({ execution }, 0))).outcome).toBe('closed');
    expect([...machine.processes.keys()]).toEqual([101, 102, 103]);
  });

  it('K4: a refusal of the system is denied, with its reason, and not waited for', async () => {
    const machine = new Machine().run(100);
    machine.onAsk = () => ({ kind: 'denied', reason: 'EPERM' });
    const report = await closing(machine);
    expect(report).toMatchObject({ outcome: 'denied', error: 'EPERM' });
    expect(report.waited_ms).toBeLessThan(50);
  });

  it('K4: a child that may not be closed makes the close denied, and is named', async () => {
    const machine = new Machine().run(100).run(101, { parent: 100 });
    machine.onAsk = (pid) => (pid === 101 ? { kind: 'denied', reason: 'EPERM' } : { kind: 'done' });
    const report = await closing(machine, task({}, 100));
    expect(report).toMatchObject({ outcome: 'denied', error: 'process 101: EPERM' });
    expect(machine.processes.has(100)).toBe(false);
  });

  it('K4: what survives being forced is failed, never closed', async () => {
    const machine = new Machine().run(100);
    machine.onForce = () => ({ kind: 'done' });
    const report = await closing(machine, task({}, 0));
    expect(report.outcome).toBe('failed');
    expect(report.error).toMatch(/still runs/);
    expect(report.waited_ms).toBeGreaterThanOrEqual(FORCE_WAIT_MS);
  });

  it('the agent itself, and pids that address whole groups, are never touched', async () => {
    const machine = new Machine().run(OWN).run(1).run(0).run(-1);
    for (const pid of [OWN, 1, 0, -1]) {
      expect((await closing(machine, task({ pid, startKey: `s${pid}` }))).outcome).toBe('denied');
    }
    expect(machine.touched).toEqual([]);
  });

  it('the agent as a child of the game is left alone', async () => {
    const machine = new Machine().run(100).run(OWN, { parent: 100 });
    expect((await closing(machine, task({}, 0))).outcome).toBe('closed');
    expect(machine.processes.has(OWN)).toBe(true);
  });

  it('a platform that throws is a failed close with its words', async () => {
    const machine = new Machine().run(100);
    machine.relatives = () => {
      throw new Error('the list is broken');
    };
    expect(await closing(machine)).toMatchObject({ outcome: 'failed', error: 'the list is broken' });
  });

  it('K4: a process that may not even be looked at is denied, not gone', async () => {
    const machine = new Machine().run(100);
    machine.look = () => {
      throw new AccessDenied('ERROR_ACCESS_DENIED');
    };
    expect(await closing(machine)).toMatchObject({ outcome: 'denied', error: 'ERROR_ACCESS_DENIED' });
  });

  it('T6: of a game of a thousand processes each is looked at with care once at most, and the thread breathes', async () => {
    const execution = 'e1';
    const machine = new Machine().run(100, { execution });
    for (let pid = 1_000; pid < 2_000; pid++) machine.run(pid, { execution, parent: 100 });
    const report = await closing(machine, task({ execution }, 1_000));
    expect(report.outcome).toBe('closed');
    expect(machine.processes.size).toBe(0);
    expect(machine.looks).toBeLessThan(10);
    expect(machine.turns).toBeGreaterThan(50);
  });

  it('K4: one that lives on as something else is said to, whether it was touched or not', async () => {
    const other = { path: '/usr/bin/editor', command: 'editor' };
    expect(await closing(new Machine().run(100, other))).toMatchObject({
      outcome: 'not_running',
      goesOn: true,
    });
    const machine = new Machine().run(100);
    machine.onAsk = () => {
      machine.run(100, other);
      return { kind: 'done' };
    };
    expect(await closing(machine)).toMatchObject({ outcome: 'closed', goesOn: true });
    expect(await closing(new Machine())).not.toHaveProperty('goesOn');
    expect(await closing(new Machine().run(100, { startKey: 'later' }))).not.toHaveProperty('goesOn');
  });

  it('what cannot be read of a process is not held against it', async () => {
    const machine = new Machine().run(100, { path: null, command: null });
    expect((await closing(machine, task({}, 0))).outcome).toBe('closed');
  });
});
