import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { UsageDay } from '../../src/app/usage.ts';
import { coloured, plain } from '../../src/cli/columns.ts';
import { thisWeek } from '../../src/cli/report.ts';
import { duration, reportText } from '../../src/cli/report-text.ts';
import type { SessionData } from '../../src/protocol/events.ts';

const BERLIN = { timeZone: 'Europe/Berlin', ownZone: 'Europe/Berlin', paint: plain };

function session(over: Partial<SessionData>): SessionData {
  return {
    session_id: 'kim_1',
    child_profile: 'kim',
    game: 'roblox',
    time_start: '2026-11-19T14:00:10.000Z',
    time_end: '2026-11-19T14:45:00.000Z',
    duration_seconds: 45 * 60,
    duration_minutes: 45,
    is_active: false,
    used_minutes_today: 0,
    remaining_minutes: null,
    limited_by: null,
    gaps: [],
    ...over,
  };
}

function day(over: Partial<UsageDay>): UsageDay {
  return {
    day: '2026-11-19',
    child_profile: 'kim',
    used_minutes: 0,
    limit_minutes: null,
    games: {},
    sessions: [],
    ...over,
  };
}

describe('a report', () => {
  const overnight = session({
    session_id: 'kim_3',
    time_start: '2026-11-22T22:40:00Z',
    time_end: '2026-11-22T23:25:00Z',
    by_day: { '2026-11-22': 20, '2026-11-23': 25 },
  });
  const week = [
    day({ used_minutes: 45, limit_minutes: 60, games: { roblox: 45 }, sessions: [session({})] }),
    day({ day: '2026-11-20' }),
    day({
      day: '2026-11-21',
      used_minutes: 201.4,
      limit_minutes: 180,
      games: { roblox: 150, minecraft: 51.4 },
      sessions: [
        session({
          session_id: 'kim_2',
          time_start: '2026-11-21T09:00:00Z',
          time_end: '2026-11-21T12:21:00Z',
          duration_seconds: 201.4 * 60,
          gaps: [
            {
              from: '2026-11-21T10:00:00Z',
              to: '2026-11-21T10:05:00Z',
              charged_minutes: 5,
              reason: 'agent_down',
            },
          ],
        }),
      ],
    }),
    day({
      day: '2026-11-22',
      used_minutes: 20,
      limit_minutes: 60,
      games: { roblox: 20 },
      sessions: [overnight],
    }),
    day({
      day: '2026-11-23',
      used_minutes: 25.2,
      limit_minutes: 60,
      games: { roblox: 25.2 },
      sessions: [
        overnight,
        session({
          session_id: 'kim_4',
          time_start: '2026-11-23T14:40:00Z',
          time_end: null,
          duration_seconds: 0.01,
          duration_minutes: 0,
          is_active: true,
        }),
      ],
    }),
  ];

  test('reads like this', () => {
    expect(reportText(week, BERLIN)).toBe(
      `kim, Thu 19 November 2026 to Mon 23 November 2026

Thu 19 Nov  █████▍·                       45 min  of 1 h
Fri 20 Nov                                     –
Sat 21 Nov  █████████████████████▓▓▓  3 h 21 min  of 3 h, 21 min over
Sun 22 Nov  ██▍····                       20 min  of 1 h
Mon 23 Nov  ███····                       25 min  of 1 h

In all 4 h 52 min: roblox 4 h, minecraft 51 min.

Sessions
Thu 19 Nov  15:00–15:45        roblox      45 min
Sat 21 Nov  10:00–13:21        roblox  3 h 21 min
            11:00–11:05 no agent was running: 5 min charged
Sun 22 Nov  23:40–00:25 (Mon)  roblox      45 min  (Sun 20 min, Mon 25 min)
Mon 23 Nov  15:40–now          roblox      <1 min`,
    );
  });

  test('a session across midnight, which stands in two days, is told once', () => {
    expect(reportText(week, BERLIN).match(/23:40/g)).toHaveLength(1);
  });

  test('a narrow terminal gets shorter bars, and nothing else changes', () => {
    const lines = reportText(week, { ...BERLIN, width: 60 }).split('\n');
    expect(lines[2]).toBe('Thu 19 Nov  ███▋·                 45 min  of 1 h');
    expect(lines[4]).toBe('Sat 21 Nov  ██████████████▓▓  3 h 21 min  of 3 h, 21 min over');
    expect(reportText(week, { ...BERLIN, width: 200 })).toBe(reportText(week, BERLIN));
    expect(reportText(week, { ...BERLIN, width: 1 })).toContain('Sat 21 Nov  ███████▓  3 h 21 min');
  });

  test('days and times of day are those of the agent, also for a reader of another zone, who is told whose they are', () => {
    const here = reportText(week, BERLIN);
    expect(here).not.toContain('Berlin');
    const there = reportText(week, { ...BERLIN, ownZone: 'America/New_York' });
    expect(there).toBe(here.replace('Sessions\n', 'Sessions, by the clock of Europe/Berlin\n'));
  });

  test('without play it says so', () => {
    expect(reportText([day({})], BERLIN)).toContain('No play.');
  });

  test('each child has a block of its own', () => {
    const text = reportText(
      [day({ used_minutes: 5 }), day({ child_profile: 'lou', used_minutes: 7 })],
      BERLIN,
    );
    expect(text).toMatch(/kim, [\s\S]*5 min[\s\S]*lou, [\s\S]*7 min/);
  });

  test('no colours where none are wanted, and the same text beside them', () => {
    const colours = new RegExp(`${'\u001b'}\\[\\d+m`, 'g');
    expect(reportText(week, BERLIN)).not.toMatch(colours);
    const painted = reportText(week, { ...BERLIN, paint: coloured });
    expect(painted).toMatch(colours);
    expect(painted.replace(colours, '')).toBe(reportText(week, BERLIN));
  });

  test('any minutes fit into the bar: every line is as wide as the others up to the minutes', () => {
    const minutes = fc.double({ min: 0, max: 1_440, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(minutes, fc.option(minutes, { nil: null })), { minLength: 1, maxLength: 31 }),
        (given) => {
          const days = given.map(([used_minutes, limit_minutes]) => day({ used_minutes, limit_minutes }));
          const lines = reportText(days, BERLIN)
            .split('\n')
            .slice(2, 2 + days.length);
          for (const line of lines)
            expect([...(line.match(/[█▏▎▍▌▋▊▉▓·]/gu) ?? [])].length).toBeLessThanOrEqual(25);
        },
      ),
    );
  });
});

test.each([
  [0, '0 min'],
  [0.2, '<1 min'],
  [0.5, '1 min'],
  [59.4, '59 min'],
  [59.6, '1 h'],
  [65, '1 h 05 min'],
  [1_440, '24 h'],
])('%d minutes are said as %s', (minutes, text) => {
  expect(duration(minutes)).toBe(text);
});

test.each([
  ['a Monday', ['2026-11-17', '2026-11-22', '2026-11-23'], ['2026-11-23']],
  ['a Sunday', ['2026-11-16', '2026-11-22'], ['2026-11-16', '2026-11-22']],
  ['a new year', ['2026-12-27', '2026-12-28', '2027-01-02'], ['2026-12-28', '2027-01-02']],
])('the week up to %s begins on its Monday', (_title, days, left) => {
  expect(thisWeek(days.map((d) => ({ day: d }))).map((d) => d.day)).toEqual(left);
});
