/** C1: what a variable or an argument that is a path may be. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { path, withoutEmpty } from '../../src/cli/options.ts';

test('C1: a variable that is set to nothing counts as not set, never as the working directory', () => {
  const env = { PLAYWARDEN_CONFIG: '', PLAYWARDEN_DATA_DIR: '', HOME: '' };
  withoutEmpty(env);
  expect(env).toEqual({ HOME: '' });
});

test('C1: a variable with a value stays', () => {
  const env = { PLAYWARDEN_CONFIG: 'c.json', PLAYWARDEN_DATA_DIR: 'd' };
  withoutEmpty(env);
  expect(env).toEqual({ PLAYWARDEN_CONFIG: 'c.json', PLAYWARDEN_DATA_DIR: 'd' });
});

test('C1: a path is taken from the working directory of the start, which the agent leaves', () => {
  expect(path('data')).toBe(join(process.cwd(), 'data'));
  expect(path('/srv/data')).toBe('/srv/data');
});
