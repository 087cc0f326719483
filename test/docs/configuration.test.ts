/** CONFIGURATION.md is the user's reference: it names every key, every exit code and every step, as the code has them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configDocument, DEFAULT_CONFIG, parseConfig } from '../../src/protocol/config.ts';
import { EXIT } from '../../src/protocol/exit-codes.ts';
import { parseScenario, scenarioDocument } from '../../src/protocol/scenario.ts';
import { runCli } from '../helpers/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(`${ROOT}CONFIGURATION.md`, 'utf8');
const readme = readFileSync(`${ROOT}README.md`, 'utf8');

/** The rows of all tables, by what stands in backticks first. */
const rows = new Map(
  [...text.matchAll(/^\| (`[^|]+?`|\d+) \| (.*) \|$/gm)].map(([, key = '', rest = '']) => [
    key.replaceAll('`', ''),
    rest.split(' | '),
  ]),
);

/** Every key of a document, with its value, as CONFIGURATION.md writes it. */
function keysOf(value: unknown, path = ''): [string, unknown][] {
  if (Array.isArray(value)) return value.flatMap((one) => keysOf(one, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    const name = path === 'profiles' ? '<child>' : key;
    const here = path === '' ? name : `${path}.${name}`;
    return [...(name === '<child>' ? [] : ([[here, inner]] as [string, unknown][])), ...keysOf(inner, here)];
  });
}

describe('CONFIGURATION.md', () => {
  test('has a row for every key that `config print` prints', () => {
    const named = (key: string) => rows.has(key) || [...rows.keys()].some((row) => row.startsWith(`${key}.`));
    expect(
      keysOf(DEFAULT_CONFIG)
        .map(([key]) => key)
        .filter((key) => !named(key)),
    ).toEqual([]);
  });

  test('tells the default of every key that has a plain one', () => {
    const plain = keysOf(DEFAULT_CONFIG).filter(
      ([key, value]) => key.split('.').length > 1 && !/match|ignore/.test(key) && isPlain(value),
    );
    const told = plain.map(([key]) => [key, rows.get(key)?.[1]?.split('`')[1]]);
    expect(told).toEqual(plain.map(([key, value]) => [key, JSON.stringify(value)]));
  });

  test('names every section that the schema knows, also those that are not printed', () => {
    const known = Object.keys(configDocument.shape);
    const named = new Set([...rows.keys()].map((key) => key.split(/[.[]/)[0]));
    expect(known.filter((key) => !named.has(key))).toEqual([]);
  });

  test('C5: has a row for every exit code', () => {
    expect(Object.values(EXIT).filter((code) => !rows.has(String(code)))).toEqual([]);
  });

  test('names every key and every step of a scenario', () => {
    const steps = scenarioDocument.shape.steps.def.element.def.options;
    const keys = [
      ...Object.keys(scenarioDocument.shape),
      ...steps.flatMap(({ shape }) => Object.keys(shape)),
    ];
    expect(keys.filter((key) => !text.includes(`\`${key}\``))).toEqual([]);
  });

  test('its examples hold', () => {
    const examples = [...text.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json ?? ''));
    const configs = examples.filter((example) => 'profiles' in example);
    const scenarios = examples.filter((example) => 'steps' in example);
    expect([configs.length, scenarios.length]).toEqual([1, 1]);
    expect(parseConfig(configs[0])).toMatchObject({ ok: true });
    const { games } = DEFAULT_CONFIG;
    const profiles = {
      kim: DEFAULT_CONFIG.profiles.default_child!,
      lou: DEFAULT_CONFIG.profiles.default_child!,
    };
    expect(parseScenario(scenarios[0], { games, profiles })).toMatchObject({ ok: true });
  });
});

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((one) => typeof one !== 'object');
  return typeof value !== 'object' || value === null;
}

describe('README.md', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'playwarden-docs-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('its lines for simulate do what they say, one after the other', async () => {
    const block = [...readme.matchAll(/```sh\n(.*?)```/gs)].find(([, lines]) =>
      lines?.includes(' simulate '),
    );
    const lines = (block?.[1] ?? '').trim().split('\n');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const [command = '', into] = line.replace('node dist/cli.js ', '').split(' > ');
      const args = command.split(' ').map((arg) => {
        if (arg.startsWith('examples/')) return ROOT + arg;
        return arg.endsWith('.json') ? join(folder, arg) : arg;
      });
      const { code, stdout, stderr } = await runCli(args, { PLAYWARDEN_DATA_DIR: folder });
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
      if (into) writeFileSync(join(folder, into), stdout);
    }
  });

  test('its configurations hold', () => {
    const examples = [...readme.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json ?? ''));
    expect(examples.map((example) => parseConfig(example).ok)).toEqual([true]);
  });
});
