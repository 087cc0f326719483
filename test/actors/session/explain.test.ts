/** What a parent reads when something is warned of, closed or refused: each rule in its own words. */
import { describe, expect, it } from 'vitest';
import type { ProfileConfig } from '../../../src/protocol/config.ts';
import { closes, events, HOUR, KID, MINUTE, machine, order, SECOND, sessions } from './playing.ts';

/** All sentences of an hour's play under these rules, with what is done after ten minutes of it. */
function said(
  kid: Partial<ProfileConfig>,
  then: (pc: ReturnType<typeof machine>) => unknown = () => {},
): string[] {
  const pc = machine({ warn_minutes: [], ...kid }, { options: { closeTakesMs: SECOND } });
  pc.start('roblox', KID);
  pc.advance(10 * MINUTE);
  then(pc);
  pc.advance(50 * MINUTE);
  const told = events(pc).flatMap((e) => (e.type === 'notification' ? [e.data.message] : []));
  return [...told, ...closes(pc).map((c) => c.why.sentence)];
}

describe('sentences', () => {
  it('the day: the last minute counts when it is full, a grace time is no minute', () => {
    expect(said({ daily_limit_minutes: 20, warn_minutes: [5, 1] })).toEqual([
      'Roblox: 5 minutes left, 15 of 20 minutes used today.',
      'Roblox: 1 minute left, 19 of 20 minutes used today.',
      'No time for Roblox at 16:20: 20 of 20 minutes used today. It is closed in 30 seconds.',
      'Default Child played Roblox for 20 minutes, 16:00 to 16:20. No time is left for now.',
      'Roblox was closed at 16:20: 20 of 20 minutes used today.',
    ]);
  });

  it('small limits are told to the part of a minute', () => {
    const [told] = said({ daily_limit_minutes: 1, grace_seconds: 0 });
    expect(told).toBe('No time for Roblox at 16:01: 1 of 1 minute used today. It is closed.');
    expect(said({ daily_limit_minutes: 0.5, grace_seconds: 1 })[0]).toContain(
      '0.5 of 0.5 minutes used today. It is closed in 1 second.',
    );
  });

  it('extra time, a week, a game, and a limit that only tells', () => {
    expect(said({ daily_limit_minutes: 15 }, (pc) => order(pc, 'extend_time', { minutes: 1 })).at(-1)).toBe(
      'Roblox was closed at 16:16: 16 of 16 minutes used today, 1 extra minute included.',
    );
    expect(said({ weekly_limit_minutes: 15 }).at(-1)).toBe(
      'Roblox was closed at 16:15: 15 of 15 minutes used this week.',
    );
    expect(said({ games: { roblox: { daily_limit_minutes: 12.5 } } }).at(-1)).toBe(
      'Roblox was closed at 16:13: 13 of 12.5 minutes of Roblox used today.',
    );
    expect(said({ daily_limit_minutes: 15, auto_close: false })).toEqual([
      'No time for Roblox at 16:15: 15 of 15 minutes used today. It is not closed.',
    ]);
  });

  it('a pause, with an end and without', () => {
    expect(said({}, (pc) => order(pc, 'pause', { minutes: 90 }))[0]).toBe(
      'No time for Roblox at 16:10: play is paused until 17:40. It is closed in 30 seconds.',
    );
    expect(said({}, (pc) => order(pc, 'pause', {})).at(-1)).toBe(
      'Roblox was closed at 16:10: play is paused until a parent resumes it.',
    );
  });

  it('a window: when it is over, and when the next one opens', () => {
    // 2026-01-15 is a Thursday.
    expect(said({ allowed: { default: ['15:00-16:20'] }, warn_minutes: [5] })[0]).toBe(
      'Roblox: 5 minutes left, play is allowed until 16:20.',
    );
    expect(said({ allowed: { default: ['15:00-16:20'] } }).at(-1)).toBe(
      'Roblox was closed at 16:20: play is not allowed at this time, again on Friday from 15:00.',
    );
    expect(said({ allowed: { default: [], thu: ['15:00-16:20', '19:00-20:00'] } }).at(-1)).toContain(
      'not allowed at this time, again from 19:00.',
    );
    const never = said({ allowed: { default: [] }, grace_seconds: 0 });
    expect(never[0]).toBe('No time for Roblox at 16:00: play is not allowed at this time. It is closed.');
  });

  it('the data beside each sentence names the rule, the counters and the clock', () => {
    const pc = machine({ daily_limit_minutes: 20, warn_minutes: [5] });
    order(pc, 'extend_time', { minutes: 15 });
    pc.start('roblox', KID);
    pc.advance(HOUR);
    expect(sessions(pc, 'time_limit_warning')[0]?.why).toEqual({
      rule: 'day',
      sentence: 'Roblox: 5 minutes left, 30 of 35 minutes used today, 15 extra minutes included.',
      used_minutes: 30,
      limit_minutes: 35,
      extra_minutes: 15,
      clock: '2026-01-15T16:30:00.000Z',
    });
    expect(closes(pc)[0]?.why).toMatchObject({ used_minutes: 35.5, clock: '2026-01-15T16:35:30.000Z' });
  });
});
