/** What readers are told of the benches is what the kept run holds: no number in a document that its JSON has not. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CHARTS } from '../../bench/report/charts.ts';
import { headline, withHeadline } from '../../bench/report/headline.ts';
import { markdown } from '../../bench/report/markdown.ts';
import { readResults } from '../../bench/report/results.ts';

const page = readFileSync('bench/RESULTS.md', 'utf8');
const file = /\[the JSON of one run\]\((.*?)\)/.exec(page)?.[1] ?? '';
const results = readResults(`bench/${file}`);

it('RESULTS.md is what its JSON gives, to the letter', () => {
  expect(page).toBe(markdown(results, file, CHARTS));
});

it("the README's paragraph is what that JSON gives", () => {
  const readme = readFileSync('README.md', 'utf8');
  expect(readme).toBe(withHeadline(readme, headline(results)));
});

it('the run was no smoke run', () => {
  expect(results.smoke).toBe(false);
});
