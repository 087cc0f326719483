import { Temporal } from 'temporal-polyfill';
import { afterEach, expect, test, vi } from 'vitest';
import { isTimeZone, zoneOfNode } from '../../src/protocol/time-zone.ts';

afterEach(() => vi.restoreAllMocks());

test('C9: every zone of the time zone database that this Node has is one', () => {
  const refused = Intl.supportedValuesOf('timeZone').filter((name) => !isTimeZone(name));
  expect(refused).toEqual([]);
});

test.each(['UTC', 'europe/berlin', 'EST5EDT', 'Etc/GMT-14', 'Asia/Calcutta'])('%s is one', (name) => {
  expect(isTimeZone(name)).toBe(true);
  expect(Temporal.Now.zonedDateTimeISO(name).hour).toBeGreaterThanOrEqual(0);
});

test.each(['', ' UTC', 'Mars/Base', 'Etc/Unknown', 'PST', 'IST', 'system'])('%j is none', (name) => {
  expect(isTimeZone(name)).toBe(false);
});

test.each([
  ['Europe/Berlin', 'Europe/Berlin'],
  ['PST', 'UTC'],
  ['Etc/Unknown', 'UTC'],
])('where Node calls its zone %s, it is %s', (timeZone, zone) => {
  const options = new Intl.DateTimeFormat().resolvedOptions();
  vi.spyOn(Intl.DateTimeFormat.prototype, 'resolvedOptions').mockReturnValue({ ...options, timeZone });
  expect(zoneOfNode()).toBe(zone);
});
