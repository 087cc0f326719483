/** From an account to the child whose profile names it. */
import { expect, test } from 'vitest';
import { profileOf } from '../../src/protocol/accounts.ts';
import { parseConfig } from '../../src/protocol/config.ts';

function profiles(document: object) {
  const result = parseConfig({ profiles: document });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config.profiles;
}

test('C7: a named account is its profile, every other one belongs to "*"', () => {
  const family = profiles({ kim: { os_users: ['kim'] }, lou: {} });
  expect(profileOf(family, 'kim')).toBe('kim');
  expect(profileOf(family, 'KIM')).toBe('kim');
  expect(profileOf(family, 'HOME-PC\\Kim')).toBe('kim');
  expect(profileOf(family, 'grandma')).toBe('lou');
});

test('C7: an account that no profile names has no limit', () => {
  expect(profileOf(profiles({ kim: { os_users: ['kim'] } }), 'mum')).toBeNull();
});

test('an account that could not be resolved belongs to the child that takes every other one', () => {
  expect(profileOf(profiles({ kim: { os_users: ['kim'] }, lou: {} }), null)).toBe('lou');
});
