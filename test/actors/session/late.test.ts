/** Messages that come late, after a stop of the agent or behind a hang, tell of their own moment and of no more (E1, T3). */
import { describe, expect, it } from 'vitest';
import { initialState, type SessionMessage, step } from '../../../src/actors/session/behavior.ts';
import type { SessionState } from '../../../src/actors/session/state.ts';
import type { EventBody, SessionData } from '../../../src/protocol/events.ts';
import type { GameProcess } from '../../../src/protocol/messages.ts';
import { config, KID, later, MINUTE, machine, SECOND } from './playing.ts';

const base = machine().reading();
const reading = (ms: number) => later(base, ms);
const game = (pid: number, ms: number, id = 'roblox'): GameProcess => ({
  ...{ pid, startKey: `1:${pid}`, game: id, name: id, path: null, command: null, user: KID },
  startedAwakeMs: base.awakeMs + ms,
});
const starts = (process: GameProcess): SessionMessage => ({
  ...{ type: 'process.started', process, child: KID, found: false },
});
const stops = ({ pid, startKey }: GameProcess, ms: number | null): SessionMessage => ({
  type: 'process.stopped',
  identity: { pid, startKey },
  endedAwakeMs: ms === null ? null : base.awakeMs + ms,
});
const snapshot = (...processes: GameProcess[]): SessionMessage => ({
  type: 'processes.snapshot',
  processes: processes.map((process) => ({ process, child: KID })),
});

class Life {
  readonly #events: EventBody[] = [];
  #state: SessionState = initialState({ config: config(), ledger: { usage: [], state: {} } }, base);

  constructor(...greeting: SessionMessage[]) {
    this.hears(0, 0, { type: 'tick' }, ...greeting);
  }

  /** Takes them in at this moment; the agent had looked last at `lookedMs`. */
  hears(ms: number, lookedMs: number, ...messages: SessionMessage[]): void {
    for (const message of messages) {
      const [next, effects] = step(this.#state, message, reading(ms), base.awakeMs + lookedMs);
      this.#state = next;
      for (const effect of effects) if (effect.type === 'session.output') this.#events.push(...effect.events);
    }
  }

  told(kind: string): SessionData[] {
    return this.#events.flatMap((e) =>
      e.type === 'session_event' && e.event_type === kind ? [e.data.session_data] : [],
    );
  }
}

const lengths = (life: Life) => life.told('session_ended').map((s) => s.duration_seconds);

describe('an agent that was stopped for ten minutes hears all that happened when it goes on', () => {
  it('E1: two games that ended at different moments are each charged to their own', () => {
    const [a, b] = [game(1, 0), game(2, 0, 'minecraft')];
    const life = new Life(snapshot(a, b));
    life.hears(10 * MINUTE, 0, stops(a, MINUTE), stops(b, 3 * MINUTE), { type: 'tick' });
    expect(lengths(life)).toEqual([60, 180]);
  });

  it('E1: a game that began and ended in that time is charged what it ran', () => {
    const a = game(1, MINUTE);
    const life = new Life(snapshot());
    life.hears(10 * MINUTE, 0, starts(a), stops(a, 2 * MINUTE), { type: 'tick' });
    expect(lengths(life)).toEqual([60]);
  });

  it('E1: a start behind the stop of another game charges that no further than its stop', () => {
    const [a, b] = [game(1, 0), game(2, MINUTE, 'minecraft')];
    const life = new Life(snapshot(a));
    life.hears(10 * MINUTE, 0, starts(b), stops(a, 2 * MINUTE), stops(b, 3 * MINUTE), { type: 'tick' });
    expect(lengths(life)).toEqual([120, 120]);
  });

  it('E1: a restart within the rejoin time is one session, one after it is two', () => {
    const [a, b, c] = [game(1, 0), game(2, 65 * SECOND), game(3, 3 * MINUTE)];
    const life = new Life(snapshot(a));
    life.hears(10 * MINUTE, 0, stops(a, MINUTE), starts(b), stops(b, 2 * MINUTE));
    life.hears(10 * MINUTE, 0, starts(c), stops(c, 4 * MINUTE), { type: 'tick' });
    expect(lengths(life)).toEqual([115, 60]);
  });

  it('E1: what main says of the games then is no look: a stop may still wait at the door', () => {
    const a = game(1, 0);
    const life = new Life(snapshot(a));
    life.hears(10 * MINUTE, 0, snapshot(a), { type: 'settle' }, stops(a, MINUTE), { type: 'tick' });
    expect(lengths(life)).toEqual([60]);
  });
});

it('E1: a command that waited before a start ends no session that the game came back to in time', () => {
  const [a, b] = [game(1, 0), game(2, 69 * SECOND)];
  const life = new Life(snapshot(a));
  life.hears(MINUTE, MINUTE, stops(a, MINUTE));
  life.hears(71 * SECOND, 69 * SECOND, { type: 'settle' }, starts(b), { type: 'tick' });
  expect(life.told('session_ended')).toEqual([]);
});

it('E1: while no scanner looks no session ends, as its game may be back; without end it does not wait', () => {
  const [a, b] = [game(1, 0), game(2, 69 * SECOND)];
  for (const back of [true, false]) {
    const life = new Life(snapshot(a));
    life.hears(MINUTE, MINUTE, stops(a, MINUTE));
    life.hears(65 * SECOND, 65 * SECOND, { type: 'scan.unknown' });
    life.hears(72 * SECOND, 71 * SECOND, { type: 'tick' });
    expect(life.told('session_ended')).toEqual([]);
    if (back) life.hears(73 * SECOND, 72 * SECOND, snapshot(b));
    life.hears(96 * SECOND, 95 * SECOND, { type: 'tick' });
    expect(life.told('session_ended')).toHaveLength(back ? 0 : 1);
  }
});

it('E1: a play heard of late has an id of its own, though an ended one began in the same millisecond', () => {
  const [a, later, late] = [game(1, 0), game(2, MINUTE), game(3, 0, 'minecraft')];
  const life = new Life(snapshot(a));
  life.hears(SECOND, SECOND, stops(a, SECOND));
  life.hears(MINUTE, MINUTE, { type: 'tick' }, starts(later));
  life.hears(2 * MINUTE, 2 * MINUTE, starts(late));
  const ids = life.told('session_started').map((s) => s.session_id);
  expect(new Set(ids).size).toBe(3);
});

it('T7: of plays heard of when they are over the session ends with the last, in whatever order they come', () => {
  const [a, b] = [game(1, 0), game(2, SECOND)];
  const life = new Life();
  const played = (process: GameProcess, ms: number | null): SessionMessage => ({
    type: 'process.played',
    process,
    child: KID,
    endedAwakeMs: ms === null ? null : base.awakeMs + ms,
  });
  life.hears(MINUTE, MINUTE, played(a, 30 * SECOND), played(b, null), snapshot(), { type: 'tick' });
  expect(life.told('session_ended')).toMatchObject([
    { duration_seconds: 30, time_end: new Date(base.wallMs + 30 * SECOND).toISOString() },
  ]);
});
