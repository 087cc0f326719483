import { expect, test } from 'vitest';
import type { Simulation } from '../../src/actors/session/simulate.ts';
import { plain } from '../../src/cli/columns.ts';
import { timelineText } from '../../src/cli/timeline-text.ts';

const event = (at: string, kind: 'scenario' | 'event' | 'close', child: string | null, sentence: string) => ({
  at,
  kind,
  what: 'start',
  child,
  sentence,
  why: null,
});
const row = (child: string, day: string, game: string, minutes: number) => ({
  child,
  day,
  game,
  usedMs: minutes * 60_000,
  limitMinutes: game === '' ? 60 : null,
});
const simulation: Simulation = {
  events: [
    event('2026-11-28T09:00:00', 'scenario', 'kim', 'roblox is started'),
    event('2026-11-28T10:00:30', 'close', 'kim', 'Roblox was closed at 10:00: 60 of 60 minutes used today.'),
    event('2026-11-29T09:00:00', 'event', 'lou', 'a session of Roblox starts, 60 minutes left'),
  ],
  usage: [
    row('lou', '2026-11-29', '', 5),
    row('kim', '2026-11-28', 'roblox', 60.5),
    row('kim', '2026-11-28', '', 60.5),
    row('lou', '2026-11-29', 'roblox', 5),
  ],
  status: { children: {}, today: '2026-11-29', timeZone: 'UTC', lastTickAwakeMs: 0 },
};

test('a timeline goes by day, names the child where there are several, and ends with the minutes used', () => {
  expect(timelineText('A try', simulation, 'UTC', plain)).toBe(
    `A try

Sat 28 Nov
  09:00:00  kim  ▸ roblox is started
  10:00:30  kim  ✕ Roblox was closed at 10:00: 60 of 60 minutes used today.

Sun 29 Nov
  09:00:00  lou  · a session of Roblox starts, 60 minutes left

kim, Sat 28 November 2026

Sat 28 Nov  ████████████████████████  1 h 01 min  of 1 h

In all 1 h 01 min: roblox 1 h 01 min.

lou, Sun 29 November 2026

Sun 29 Nov  ██······················  5 min  of 1 h

In all 5 min: roblox 5 min.`,
  );
});

test('with one child the child is not named in each line', () => {
  const alone = { ...simulation, usage: simulation.usage.filter((r) => r.child === 'kim') };
  expect(timelineText('', alone, 'UTC', plain)).toMatch(/^Sat 28 Nov\n {2}09:00:00 {2}▸ roblox is started\n/);
});

test('nothing played makes a timeline without a report', () => {
  expect(timelineText('', { ...simulation, events: [], usage: [] }, 'UTC', plain)).toBe('');
});
