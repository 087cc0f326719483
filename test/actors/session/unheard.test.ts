/** Games that end while no session actor lives: its next life hears of each with its own moment (T7). */
import { expect, it } from 'vitest';
import { initialState, type SessionMessage, step } from '../../../src/actors/session/behavior.ts';
import type { SessionState } from '../../../src/actors/session/state.ts';
import type { EventBody } from '../../../src/protocol/events.ts';
import type { GameProcess, HeardBySession } from '../../../src/protocol/messages.ts';
import { config, KID, later, MINUTE, machine, SECOND, short } from './playing.ts';

const base = machine().reading();
const at = (ms: number) => later(base, ms);
const game: GameProcess = {
  pid: 7,
  startKey: '1:7',
  game: 'roblox',
  name: 'roblox',
  path: null,
  command: null,
  user: KID,
  startedAwakeMs: base.awakeMs,
};

/** One life of the actor over a ledger that is kept. */
class Life {
  readonly events: EventBody[] = [];
  readonly #ledger: Record<string, unknown>;
  #state: SessionState;

  constructor(ledger: Record<string, unknown>, ms: number) {
    this.#ledger = ledger;
    const init = {
      config: config({}, { sessions: { rejoin_seconds: 1 } }),
      ledger: { usage: [], state: ledger },
    };
    this.#state = initialState(structuredClone(init), at(ms));
    this.hears(ms, { type: 'tick' });
  }

  hears(ms: number, ...messages: (SessionMessage | HeardBySession)[]): void {
    for (const message of messages) {
      const [next, effects] = step(this.#state, message, at(ms));
      this.#state = next;
      for (const effect of effects) {
        if (effect.type !== 'session.output') continue;
        this.events.push(...effect.events);
        for (const [key, value] of Object.entries(effect.ledger.state)) {
          if (value === null) delete this.#ledger[key];
          else this.#ledger[key] = structuredClone(value);
        }
      }
    }
  }

  ended() {
    return this.events.flatMap((e) =>
      e.type === 'session_event' && e.event_type === 'session_ended' ? [e.data.session_data] : [],
    );
  }
}

const ranTo = (ms: number): HeardBySession[] => [
  { type: 'process.played', process: game, child: KID, endedAwakeMs: base.awakeMs + ms },
  { type: 'processes.snapshot', processes: [] },
];

it('T7: a play that the last actor knew is charged up to its end, not to where the ledger stopped, nor beyond', () => {
  const ledger = {};
  const first = new Life(ledger, 0);
  first.hears(0, { type: 'process.started', process: game, child: KID, found: false });
  first.hears(2 * MINUTE, { type: 'settle' });
  const second = new Life(ledger, 10 * MINUTE);
  second.hears(10 * MINUTE, ...ranTo(5 * MINUTE), { type: 'tick' });
  expect(second.ended()).toMatchObject([{ duration_seconds: 300, end_reason: 'exit' }]);
  expect(second.ended()[0]?.time_end).toBe(new Date(base.wallMs + 5 * MINUTE).toISOString());
});

it('T7: one that began and ended in between is a session of its own length', () => {
  const life = new Life({}, 10 * MINUTE);
  life.hears(10 * MINUTE, ...ranTo(3 * MINUTE), { type: 'tick' });
  life.hears(10 * MINUTE + 2 * SECOND, { type: 'tick' });
  expect(life.events.map(short).filter((kind) => kind.startsWith('session_'))).toEqual([
    'session_started',
    'session_ended',
  ]);
  expect(life.ended()).toMatchObject([{ duration_seconds: 180 }]);
});

it('T7: a second window that ended before the first charges neither beyond its own end', () => {
  const ledger = {};
  const first = new Life(ledger, 0);
  first.hears(0, { type: 'process.started', process: game, child: KID, found: false });
  first.hears(20 * SECOND, { type: 'settle' });
  const second = { ...game, pid: 8, startKey: '1:8', startedAwakeMs: base.awakeMs + 21 * SECOND };
  const life = new Life(ledger, 5 * MINUTE);
  life.hears(
    5 * MINUTE,
    { type: 'process.played', process: second, child: KID, endedAwakeMs: base.awakeMs + 23 * SECOND },
    { type: 'process.played', process: game, child: KID, endedAwakeMs: base.awakeMs + 25 * SECOND },
    { type: 'processes.snapshot', processes: [] },
    { type: 'tick' },
  );
  expect(life.ended()).toMatchObject([{ duration_seconds: 25 }]);
});

it('T7: one that ended is one session with another that still runs, and began before that end', () => {
  const second = { ...game, pid: 8, startKey: '1:8', startedAwakeMs: base.awakeMs + SECOND };
  const life = new Life({}, MINUTE);
  life.hears(
    MINUTE,
    { type: 'process.played', process: game, child: KID, endedAwakeMs: base.awakeMs + 10 * SECOND },
    { type: 'processes.snapshot', processes: [{ process: second, child: KID }] },
    { type: 'tick' },
  );
  expect(life.ended()).toEqual([]);
  const identity = { pid: 8, startKey: '1:8' };
  life.hears(2 * MINUTE, { type: 'process.stopped', identity, endedAwakeMs: base.awakeMs + 90 * SECOND });
  life.hears(3 * MINUTE, { type: 'tick' });
  expect(life.ended()).toMatchObject([{ duration_seconds: 90, end_reason: 'exit' }]);
});
