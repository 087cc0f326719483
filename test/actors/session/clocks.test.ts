import { describe, expect, it } from 'vitest';
import { zoneOf } from '../../../src/actors/session/clocks.linux.ts';
import { clocksOf, systemClocks } from '../../../src/actors/session/clocks.ts';
import { isTimeZone } from '../../../src/protocol/time-zone.ts';
import { monotonicMs } from '../../../src/runtime/clock.ts';

describe('the system clocks', () => {
  it('read together: awake is the clock that threads share, elapsed runs beside it, wall is Date', async () => {
    const clocks = await systemClocks();
    const [first, second] = [clocks.read(), clocks.read()];
    expect(second.awakeMs).toBeGreaterThanOrEqual(first.awakeMs);
    expect(Math.abs(second.elapsedMs - first.elapsedMs - (second.awakeMs - first.awakeMs))).toBeLessThan(1);
    expect(Math.abs(second.awakeMs - monotonicMs())).toBeLessThan(1_000);
    expect(Math.abs(second.wallMs - Date.now())).toBeLessThan(1_000);
    expect(second.bootId).not.toBe('');
    expect(isTimeZone(second.zone)).toBe(true);
  });

  it('the zone is what TZ names, else where /etc/localtime points to', () => {
    expect(zoneOf('Europe/Berlin', null)).toBe('Europe/Berlin');
    expect(zoneOf(':Europe/Berlin', '/usr/share/zoneinfo/UTC')).toBe('Europe/Berlin');
    expect(zoneOf('/usr/share/zoneinfo/Asia/Tokyo', null)).toBe('Asia/Tokyo');
    expect(zoneOf(undefined, '/usr/share/zoneinfo/Etc/UTC')).toBe('Etc/UTC');
    expect(zoneOf(undefined, '../usr/share/zoneinfo/posix/America/New_York')).toBe('America/New_York');
    expect(zoneOf(undefined, null)).toBe(null);
  });

  it('UTC is UTC under both of its names, and any other zone keeps its own', () => {
    const read = (zone: string) =>
      clocksOf({ bootId: 'a', hrtimeStandsStill: true, asleepMs: () => 0, zone: () => zone }).read().zone;
    expect(['Etc/UTC', 'UTC', 'Europe/Berlin'].map(read)).toEqual(['UTC', 'UTC', 'Europe/Berlin']);
  });

  it('a zone that ICU does not know is the one Node started with', () => {
    const platform = { bootId: 'a', hrtimeStandsStill: true, asleepMs: () => 0, zone: () => 'Mars/Olympus' };
    expect(clocksOf(platform).read().zone).toBe(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  });

  it('a zone of which no calendar is made is one that ICU does not know', () => {
    const platform = { bootId: 'a', hrtimeStandsStill: true, asleepMs: () => 0, zone: () => 'PST' };
    expect(clocksOf(platform).read().zone).toBe(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  });

  it('coarse clocks that disagree by some ms are no sleep; a real one is', () => {
    let asleep = 5_000;
    const platform = { bootId: 'a', hrtimeStandsStill: false, asleepMs: () => asleep, zone: () => null };
    const clocks = clocksOf(platform);
    const offset = () => clocks.toAwake(0);
    asleep += 40;
    clocks.read();
    expect(offset()).toBe(-5_000);
    asleep += 60_000;
    clocks.read();
    expect(offset()).toBe(-65_040);
  });
});
