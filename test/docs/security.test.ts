/** SECURITY.md names the tests that show each defence: they are there. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('every attack names tests that exist', () => {
  const text = readFileSync(`${ROOT}SECURITY.md`, 'utf8');
  const rows = text.slice(text.indexOf('| attack |'), text.indexOf('## Not defended')).split('\n').slice(2);
  const shown = rows.filter((row) => row.startsWith('|')).map((row) => row.split('|')[3] ?? '');
  expect(shown.length).toBeGreaterThan(12);
  const named = shown.map((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => `test/${name}.test.ts`),
  );
  expect(named.filter((names) => names.length === 0)).toEqual([]);
  expect(named.flat().filter((file) => !existsSync(`${ROOT}${file}`))).toEqual([]);
});
