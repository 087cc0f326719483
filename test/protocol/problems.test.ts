/** PROTOCOL.md and the code say the same about problems and close codes. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLOSE_CODES, PROBLEMS } from '../../src/protocol/problems.ts';

const protocol = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');

/** The table rows below a heading, cells trimmed. */
function rows(heading: string, cells: number): string[][] {
  const section = protocol.split(`${heading}\n`)[1]?.split(/\n#+ /)[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('|--'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
    .slice(1)
    .filter((row) => row.length === cells);
}

test('the table of problems in PROTOCOL.md is the table in the code', () => {
  const coded = Object.entries(PROBLEMS).map(([slug, p]) => [slug, String(p.status), p.title, p.verdict]);
  expect(rows('## Problems', 4)).toEqual(coded);
});

test('W6: the table of close codes in PROTOCOL.md is the table in the code', () => {
  const coded = Object.entries(CLOSE_CODES).map(([code, c]) => [code, c.reason, c.verdict]);
  expect(rows('### Close codes', 3)).toEqual(coded);
});

test('W6: codes up to 4499 say come back, from 4500 stop', () => {
  for (const [code, { verdict }] of Object.entries(CLOSE_CODES)) {
    expect(verdict).toBe(Number(code) < 4500 ? 'resume' : 'stop');
  }
});
