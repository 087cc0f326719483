/** The shell around the behaviour: real deadlines on a fake clock, what crosses the thread, what settles. */
import { describe, expect, it } from 'vitest';
import { createSessionActor } from '../../../src/actors/session/actor.ts';
import type { Clocks } from '../../../src/actors/session/clocks.ts';
import type { EventBody } from '../../../src/protocol/events.ts';
import type { FromSession, GameProcess, LedgerSnapshot } from '../../../src/protocol/messages.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { config, HOUR, KID, MINUTE, profile, SECOND, short } from './playing.ts';

/** A thread without the thread: the shell over a fake clock, its posts in a list. */
class Bench {
  readonly clock = new FakeClock();
  readonly posted: FromSession[] = [];
  readonly due: number[] = [];
  beats = 0;
  /** What the machine slept, ms; process.hrtime stands still in it when `still`. */
  #asleepMs = 0;
  #fellAsleepAt: number | null = null;
  zone = 'UTC';
  readonly #still: boolean;
  readonly actor;

  constructor(
    kid: Parameters<typeof config>[0] = {},
    still = true,
    ledger: LedgerSnapshot = { usage: [], state: {} },
  ) {
    this.#still = still;
    const host = {
      init: { config: config(kid), ledger },
      post: (message: FromSession) => void this.posted.push(structuredClone(message)),
      worked: (nextInMs?: number) => void this.due.push(nextInMs ?? 0),
      beat: () => {
        this.beats += 1;
      },
    };
    this.actor = createSessionActor(host, this.#clocks(), this.clock);
  }

  /** What main tells each fresh actor: nothing runs. */
  greeted(): this {
    this.actor.receive({ type: 'processes.snapshot', processes: [] });
    return this;
  }

  #clocks(): Clocks {
    const sleptInShared = () => (this.#still ? 0 : this.asleepMs);
    return {
      read: () => {
        const awakeMs = this.clock.monotonic() - sleptInShared();
        const elapsedMs = awakeMs + this.asleepMs;
        return { awakeMs, elapsedMs, wallMs: this.clock.wall(), bootId: 'a', zone: this.zone };
      },
      toAwake: (sharedMs) => sharedMs - sleptInShared(),
    };
  }

  get asleepMs(): number {
    return this.#asleepMs + (this.#fellAsleepAt === null ? 0 : this.clock.monotonic() - this.#fellAsleepAt);
  }

  /** The machine sleeps while process.hrtime runs on. */
  sleep(ms: number): void {
    this.#fellAsleepAt = this.clock.monotonic();
    this.clock.advance(ms);
    this.#asleepMs = this.asleepMs;
    this.#fellAsleepAt = null;
  }

  start(game = 'roblox', pid = 1): void {
    this.actor.receive({
      type: 'process.started',
      process: this.process(game, pid),
      child: KID,
      found: false,
    });
  }

  process(game: string, pid: number): GameProcess {
    const startedAwakeMs = this.clock.monotonic();
    return { pid, startKey: 's', game, name: game, path: null, command: null, user: KID, startedAwakeMs };
  }

  stop(pid = 1): void {
    const identity = { pid, startKey: 's' };
    this.actor.receive({ type: 'process.stopped', identity, endedAwakeMs: this.clock.monotonic() });
  }

  get events(): EventBody[] {
    return this.posted.flatMap((o) => [...o.events]);
  }
}

describe('the shell of the session actor', () => {
  it('posts a first output with the bias when it starts', () => {
    const bench = new Bench();
    expect(bench.posted).toHaveLength(1);
    expect(bench.posted[0]?.trustedBiasMs).toBe(bench.clock.wall() - bench.clock.monotonic());
  });

  it('warns and closes at the very ms, between the glances', () => {
    const bench = new Bench({
      daily_limit_minutes: 0.05,
      warn_minutes: [0.02],
      grace_seconds: 0.7,
    }).greeted();
    bench.start();
    bench.clock.advance(1_799);
    expect(bench.events.map(short)).toEqual(['session_started']);
    bench.clock.advance(2);
    expect(bench.events.map(short)).toContain('time_limit_warning 0.02');
    bench.clock.advance(1_898);
    expect(bench.posted.flatMap((o) => o.closes)).toEqual([]);
    bench.clock.advance(4);
    expect(bench.posted.flatMap((o) => o.closes)).toMatchObject([{ targets: [{ pid: 1, startKey: 's' }] }]);
  });

  it('T1: a change of zone is told within a second, while nobody plays too', () => {
    const bench = new Bench().greeted();
    bench.clock.advance(10 * SECOND);
    bench.zone = 'Asia/Tokyo';
    bench.clock.advance(SECOND);
    expect(bench.events.map(short)).toEqual(['clock_changed']);
  });

  it('T3: after a stop of the agent, a game that began before the session it belongs to is charged from its own start', () => {
    const bench = new Bench().greeted();
    bench.clock.advance(SECOND);
    const early = bench.process('roblox', 2);
    bench.clock.sleep(4 * SECOND);
    const late = bench.process('roblox', 1);
    bench.actor.receive({ type: 'process.started', process: late, child: KID, found: true });
    const processes = [late, early].map((process) => ({ process, child: KID }));
    bench.actor.receive({ type: 'processes.snapshot', processes });
    bench.clock.advance(2 * SECOND);
    for (const pid of [1, 2]) bench.stop(pid);
    bench.clock.advance(MINUTE);
    const [ended] = bench.events.flatMap((e) =>
      'event_type' in e && e.event_type === 'session_ended' ? [e] : [],
    );
    expect(ended).toMatchObject({ data: { session_data: { duration_seconds: 6 } } });
  });

  it('a message is no work: who asks for the status does not make a limit loop look alive that is dead', () => {
    const bench = new Bench().greeted();
    const looks = bench.due.length;
    bench.start();
    bench.actor.calls.settle();
    expect(bench.due).toHaveLength(looks);
    bench.clock.advance(SECOND);
    expect(bench.due).toHaveLength(looks + 1);
  });

  it('says when its next work is due, and is never late on a healthy machine', () => {
    const bench = new Bench().greeted();
    bench.clock.advance(MINUTE);
    expect(Math.max(...bench.due)).toBeLessThanOrEqual(SECOND);
    expect(bench.due.length).toBeGreaterThanOrEqual(60);
  });

  it('T3: suspend is not charged where process.hrtime runs on through it', () => {
    const bench = new Bench({}, false).greeted();
    bench.start();
    bench.clock.advance(10 * MINUTE);
    bench.sleep(8 * HOUR);
    bench.clock.advance(5 * MINUTE);
    bench.stop();
    bench.clock.advance(MINUTE);
    const ended = bench.events.find((e) => e.type === 'session_event' && e.event_type === 'session_ended');
    expect(ended).toMatchObject({
      data: { session_data: { duration_minutes: 15, time_end: '2026-01-16T00:15:00.000Z' } },
    });
    // Main adds the bias to process.hrtime.
    expect(bench.posted.at(-1)?.trustedBiasMs).toBe(bench.clock.wall() - bench.clock.monotonic());
  });

  it('T3: an agent that was stopped as a whole says so; a stop in that time is charged to its own moment', () => {
    const bench = new Bench().greeted();
    bench.start('roblox', 1);
    bench.start('minecraft', 2);
    bench.clock.advance(MINUTE);
    bench.clock.sleep(5 * SECOND);
    // What waits at the door comes first.
    bench.clock.advance(1);
    const [identity, endedAwakeMs] = [{ pid: 1, startKey: 's' }, bench.clock.monotonic() - 2 * SECOND - 1];
    bench.actor.receive({ type: 'process.stopped', identity, endedAwakeMs });
    bench.clock.advance(MINUTE);
    bench.stop(2);
    bench.clock.advance(MINUTE);
    const ended = bench.events.flatMap((e) =>
      e.type === 'session_event' && e.event_type === 'session_ended' ? [e.data.session_data] : [],
    );
    expect(ended).toMatchObject([
      {
        game: 'roblox',
        duration_seconds: 63,
        gaps: [{ from: '2026-01-15T16:01:00.000Z', to: '2026-01-15T16:01:03.000Z', charged_minutes: 0.05 }],
      },
      {
        game: 'minecraft',
        duration_seconds: 125.001,
        // Up to the first look, when nothing waits any more.
        gaps: [{ from: '2026-01-15T16:01:00.000Z', to: '2026-01-15T16:01:05.251Z', reason: 'agent_stopped' }],
      },
    ]);
  });

  it('E1, T3: a game that was killed while the agent was stopped is charged to the last look before it', () => {
    for (const unseen of [
      { type: 'process.stopped', identity: { pid: 1, startKey: 's' }, endedAwakeMs: null },
      { type: 'processes.snapshot', processes: [] },
    ] as const) {
      const bench = new Bench().greeted();
      bench.start();
      bench.clock.advance(MINUTE + 5_400);
      bench.clock.sleep(10 * MINUTE);
      // What waits at the door comes first.
      bench.clock.advance(1);
      bench.actor.receive(unseen);
      bench.clock.advance(MINUTE);
      const ended = bench.events.find((e) => e.type === 'session_event' && e.event_type === 'session_ended');
      expect(ended).toMatchObject({ data: { session_data: { duration_seconds: 65, gaps: [] } } });
    }
  });

  it('a late look is no stop of the agent, and a game that nobody stopped is charged after one too', () => {
    const bench = new Bench().greeted();
    bench.start();
    bench.clock.advance(MINUTE);
    bench.clock.sleep(1_400);
    bench.clock.advance(MINUTE);
    bench.clock.sleep(5 * SECOND);
    bench.clock.advance(SECOND);
    expect(bench.posted.at(-1)?.ledger.sessions).toMatchObject([
      { duration_seconds: 126.65, gaps: [{ charged_minutes: 0.094, reason: 'agent_stopped' }] },
    ]);
  });

  it('several messages in one are taken as if they came by themselves, and the thread beats between them', () => {
    const bench = new Bench();
    const [first, second] = [1, 2].map((pid) => ({
      type: 'process.started' as const,
      process: bench.process('roblox', pid),
      child: KID,
      found: true,
    }));
    if (!first || !second) throw new Error('no messages');
    const before = bench.posted.length;
    bench.actor.receive({
      type: 'several',
      messages: [first, { type: 'process.played', process: second.process, child: KID, endedAwakeMs: null }],
    });
    expect(bench.posted.slice(before).map((o) => o.started.map(({ pid }) => pid))).toEqual([[1], [2]]);
    expect(bench.beats).toBe(2);
  });

  it('a command is posted before it is answered; a refusal posts nothing', () => {
    const bench = new Bench().greeted();
    const posted = bench.posted.length;
    const parameters = { minutes: 30 };
    const pause = { command: 'pause', command_id: 'c1', child_profile: KID, parameters } as const;
    expect(bench.actor.calls.command(pause)).toMatchObject({ ok: true, result: { paused: true } });
    expect(bench.posted.slice(posted)).toMatchObject([{ command: { commandId: 'c1' } }]);
    expect(bench.actor.calls.command({ ...pause, child_profile: 'nobody' })).toMatchObject({
      ok: false,
      problem: { slug: 'child-unknown' },
    });
    expect(bench.posted).toHaveLength(posted + 1);
  });

  it('settle charges up to now, posts it, and says how things stand', () => {
    const bench = new Bench().greeted();
    bench.start();
    bench.clock.advance(MINUTE + 500);
    expect(bench.actor.calls.settle()).toMatchObject({
      today: '2026-01-15',
      lastTickAwakeMs: bench.clock.monotonic(),
      children: { [KID]: { playing: true, used_minutes_today: 1.008 } },
    });
    expect(bench.posted.at(-1)?.ledger.usage.find((row) => row.game === '')?.usedMs).toBe(MINUTE + 500);
  });

  it('configure takes a new child in', () => {
    const bench = new Bench().greeted();
    bench.actor.calls.configure({ ...config(), profiles: { anna: profile({ daily_limit_minutes: 7 }) } });
    expect(bench.actor.calls.settle().children).toMatchObject({ anna: { remaining_minutes: 7 } });
  });

  it('stop leaves no timer behind', async () => {
    const bench = new Bench().greeted();
    await bench.actor.stop();
    expect(bench.clock.pendingTimers).toBe(0);
  });
});
