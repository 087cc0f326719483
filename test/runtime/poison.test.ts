/** What has killed twice is set aside; whoever merely resembles it is not. */
import { expect, test } from 'vitest';
import { FORGET_AFTER_MS, MAX_SUSPECTS, PoisonRegister, type Sent } from '../../src/runtime/poison.ts';

test.each<[string, Sent[], Sent, boolean]>([
  ['nothing has killed', [], { message: 'm' }, true],
  ['it has killed once', [{ message: 'm' }], { message: 'm' }, true],
  ['it has killed twice', [{ message: 'm' }, { message: 'm' }], { message: 'm' }, false],
  [
    'the same words in another object',
    [{ message: { a: 1 } }, { message: { a: 1 } }],
    { message: { a: 1 } },
    false,
  ],
  ['another one has killed twice', [{ message: 'm' }, { message: 'm' }], { message: 'n' }, true],
  [
    'the same call with other arguments',
    [
      { call: 'c', args: [1] },
      { call: 'c', args: [1] },
    ],
    { call: 'c', args: [2] },
    true,
  ],
  [
    'the same call',
    [
      { call: 'c', args: [1] },
      { call: 'c', args: [1] },
    ],
    { call: 'c', args: [1] },
    false,
  ],
])('%s', (_title, deaths, sent, admitted) => {
  const setAside: Sent[] = [];
  const register = new PoisonRegister(
    (what) => setAside.push(what),
    () => 0,
  );
  for (const death of deaths) register.killed(death);
  expect(register.admits(sent)).toBe(admitted);
  expect(setAside).toEqual(admitted ? [] : [sent]);
});

test('the register is bounded: what killed longest ago is forgotten first', () => {
  const register = new PoisonRegister(
    () => {},
    () => 0,
  );
  register.killed({ message: 'first' });
  register.killed({ message: 'first' });
  for (let n = 1; n < MAX_SUSPECTS; n += 1) register.killed({ message: n });
  expect(register.admits({ message: 'first' })).toBe(false);
  register.killed({ message: 'one more' });
  expect(register.admits({ message: 'first' })).toBe(true);
});

test('deaths that lie far apart have nothing to do with each other, and what was set aside is tried again after a time', () => {
  let now = 0;
  const register = new PoisonRegister(
    () => {},
    () => now,
  );
  register.killed({ call: 'settle', args: [] });
  now += FORGET_AFTER_MS;
  register.killed({ call: 'settle', args: [] });
  expect(register.admits({ call: 'settle', args: [] })).toBe(true);
  register.killed({ call: 'settle', args: [] });
  expect(register.admits({ call: 'settle', args: [] })).toBe(false);
  now += FORGET_AFTER_MS;
  expect(register.admits({ call: 'settle', args: [] })).toBe(true);
});
