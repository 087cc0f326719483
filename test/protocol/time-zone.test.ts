import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
import { isTimeZone } from '../../src/protocol/time-zone.ts';

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
