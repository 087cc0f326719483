/** The days of `GET /desktop/usage`, as a client reads them. */
import { expect, test } from 'vitest';
import { usageDays } from '../../src/app/usage.ts';

test('figures are minutes to the third decimal, limits with extra time in them too', () => {
  const range = { from: '2026-11-22', to: '2026-11-23' };
  const row = { child: 'kim', day: '2026-11-23', usedMs: 21_543, limitMinutes: 1.285794129899998 };
  const usage = [
    { ...row, game: '' },
    { ...row, game: 'roblox' },
  ];
  expect(usageDays(range, ['kim'], usage, [])).toEqual([
    {
      day: '2026-11-22',
      child_profile: 'kim',
      used_minutes: 0,
      limit_minutes: null,
      games: {},
      sessions: [],
    },
    {
      day: '2026-11-23',
      child_profile: 'kim',
      used_minutes: 0.359,
      limit_minutes: 1.286,
      games: { roblox: 0.359 },
      sessions: [],
    },
  ]);
});
