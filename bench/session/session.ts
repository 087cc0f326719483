/** The session actor's pure behaviour: one tick among many children and games, and a year of a child's play. */
import { initialState, type SessionMessage, step } from '../../src/actors/session/behavior.ts';
import type { SessionState } from '../../src/actors/session/state.ts';
import type { Reading } from '../../src/actors/session/trusted-clock.ts';
import { VirtualMachine } from '../../src/actors/session/virtual-machine.ts';
import { DEFAULT_CONFIG, type ProfileConfig } from '../../src/protocol/config.ts';
import type { GameProcess, SessionConfig } from '../../src/protocol/messages.ts';
import type { Bench, Case, Group } from '../harness/bench.ts';
import { calmest } from '../harness/calm.ts';
import { atMost } from '../report/measure.ts';

const CHILDREN = 8;
const OPEN_GAMES = 20;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY_MS = 24 * 60 * MINUTE;
/** A Monday noon, so that neither a day start nor a window comes near. */
const NOON = Date.UTC(2026, 0, 5, 12);

function household(children: number): SessionConfig {
  const kid = DEFAULT_CONFIG.profiles.default_child as ProfileConfig;
  const names = Array.from({ length: children }, (_, i) => `child-${i}`);
  const profiles = names.map((name) => [name, { ...kid, name, os_users: [name] }] as const);
  const ids = ['roblox', 'minecraft', 'fortnite'];
  const games = ids.map((id) => ({ id, name: id, match: [], ignore: [] }));
  return { ...DEFAULT_CONFIG, games, profiles: Object.fromEntries(profiles) };
}

const reading = (awakeMs: number): Reading => ({
  awakeMs,
  elapsedMs: awakeMs,
  wallMs: NOON + awakeMs,
  bootId: 'boot',
  zone: 'Europe/Berlin',
});

function openHouse(config: SessionConfig): SessionState {
  const ledger = { usage: [], state: {} };
  let state = initialState({ config, ledger }, reading(SECOND));
  const send = (message: SessionMessage) => {
    [state] = step(state, message, reading(2 * SECOND));
  };
  send({ type: 'processes.snapshot', processes: [] });
  const games = config.games.map((game) => game.id);
  for (let i = 0; i < OPEN_GAMES; i++) {
    const child = `child-${i % CHILDREN}`;
    const game = games[Math.floor(i / CHILDREN) % games.length] ?? '';
    const names = { game, name: game, path: null, command: null, user: child };
    const process: GameProcess = { pid: 100 + i, startKey: String(i), ...names, startedAwakeMs: 2 * SECOND };
    send({ type: 'process.started', process, child, found: false });
  }
  return state;
}

const tick: Case = {
  name: 'tick',
  deadlineMs: 20_000,
  async run(bench: Bench) {
    const state = openHouse(household(CHILDREN));
    const later = (ms: number) => reading(2 * SECOND + ms);
    const cases = [
      ['quiet', 'a tick that writes nothing', 1 * SECOND, atMost(50)],
      ['writes', 'a tick that writes the ledger', 31 * SECOND, undefined],
    ] as const;
    for (const [id, what, ms, goal] of cases) {
      const at = later(ms);
      const { p50, p99, note } = await calmest(bench, () => step(state, { type: 'tick' }, at));
      const wrote = step(state, { type: 'tick' }, at)[1].length > 0 ? 'with output' : 'without output';
      const words = `${CHILDREN} children, ${OPEN_GAMES} open games: ${what}`;
      bench.record(`${id}.p50`, `${words}, p50`, p50 / 1_000, 'µs', {
        goal,
        note: `${wrote}, ${note}`,
      });
      bench.record(`${id}.p99`, `${words}, p99`, p99 / 1_000, 'µs');
    }
  },
};

const year: Case = {
  name: 'year',
  deadlineMs: 60_000,
  async run(bench) {
    const days = bench.amount(365, 14);
    const perDay = 10;
    const kid = { ...(DEFAULT_CONFIG.profiles.default_child as ProfileConfig), daily_limit_minutes: 120 };
    const config = { ...DEFAULT_CONFIG, profiles: { default_child: kid } };
    const begun = performance.now();
    let outputs = 0;
    const pc = new VirtualMachine({
      config,
      wallMs: NOON,
      zone: 'Europe/Berlin',
      onOutput: () => {
        outputs += 1;
      },
      // As the simulator: no agent keeps all that it ever said.
      forget: true,
    });
    for (let session = 0; session < days * perDay; session++) {
      const pid = pc.start('roblox', 'default_child');
      pc.advance(11 * MINUTE);
      pc.stop(pid);
      pc.advance(DAY_MS / perDay - 11 * MINUTE);
    }
    const seconds = (performance.now() - begun) / 1_000;
    const note = `${outputs} outputs`;
    bench.record('time', `${days} days of ${perDay} sessions simulated`, seconds, 's', {
      goal: atMost(3),
      note,
    });
  },
};

export const session: Group = { name: 'session', cases: [tick, year] };
