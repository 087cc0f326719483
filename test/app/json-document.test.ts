/** C9: what a person, or an editor of Windows, makes of a JSON file. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readJsonDocument } from '../../src/app/json-document.ts';

const problems = (text: string) => {
  const read = readJsonDocument(text);
  return read.ok ? [] : read.errors.map(({ path, message }) => `${path}: ${message}`);
};

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('a JSON document as a person writes it', () => {
  test('a byte-order mark and CRLF are read over', () => {
    const read = readJsonDocument('\uFEFF{\r\n  "day": { "starts_at": "04:00" }\r\n}\r\n');
    expect(read).toEqual({ ok: true, document: { day: { starts_at: '04:00' } } });
  });

  test.each([
    ['{\n  // a comment\n  "a": 1 }', 'line 2, column 3: JSON has no comments'],
    ['{ "a": 1 /* one */ }', 'line 1, column 10: JSON has no comments'],
    ['{\r\n  "a": [1, 2,],\r\n}', 'line 2, column 14: the comma before it is too many'],
    ['{ "a": 1,\n}', 'line 2, column 1: the comma before it is too many'],
    ["{ 'a': 1 }", 'line 1, column 3: texts and keys stand between straight double quotes (")'],
    ['{ “a”: 1 }', 'line 1, column 3: texts and keys stand between straight double quotes (")'],
    ['{ "a": 1\n"b": 2 }', 'line 2, column 1: "\\"" is not expected here'],
    ['{ "a" 1 }', 'line 1, column 7: "1" is not expected here'],
    ['{ a: 1 }', 'line 1, column 3: texts and keys stand between straight double quotes (")'],
    ['{ "path": "C:\\Games" }', 'line 1, column 14: a \\ in a text must be doubled'],
    ['{"a":1}\n{"b":2}', 'line 2, column 1: "{" is not expected here'],
    ['{"a":1', 'it ends too early: something that was opened is not closed'],
    [' \n', 'it is empty'],
    ['{\0"\0a\0', 'line 1, column 2: it is not UTF-8: save it anew as UTF-8'],
  ])('%j is told with its place', (text, said) => {
    expect(problems(text)).toEqual([`$: the file is not JSON: ${said}`]);
  });

  test('a key that stands twice is told, each with its path: all but the last would count for nothing', () => {
    const text =
      '{ "profiles": {\n  "kim": { "daily_limit_minutes": 10 },\n  "k\\u0069m": {} },\n' +
      '  "games": [{}, { "id": "a", "id": "b" }] }';
    expect(problems(text)).toEqual([
      'profiles.kim: stands there twice (lines 2 and 3): keep one',
      'games.1.id: stands there twice (lines 4 and 4): keep one',
    ]);
    expect(problems('[{ "a": 1 }, { "a": 1, "b": { "a": 1 } }]')).toEqual([]);
  });

  test('it takes exactly what JSON.parse takes', () => {
    const piece = fc.constantFrom(...'{}[],:"\\ \t\n0123-+.eEtrufalsn/\u2028\ud83d'.split(''), '"a"', 'null');
    const anyJson = fc.json({ stringUnit: 'binary' });
    const changed = fc
      .tuple(anyJson, fc.nat(), fc.nat(3), fc.array(piece, { maxLength: 3 }))
      .map(([text, at, cut, put]) => {
        const from = at % (text.length + 1);
        return text.slice(0, from) + put.join('') + text.slice(from + cut);
      });
    fc.assert(
      fc.property(
        fc.oneof(
          anyJson,
          changed,
          fc.array(piece).map((all) => all.join('')),
        ),
        (text) => {
          const read = readJsonDocument(text);
          const doubled = !read.ok && read.errors.every(({ message }) => message.includes('twice'));
          expect(read.ok || doubled).toBe(isJson(text.replace(/^\uFEFF/, '')));
          if (read.ok) expect(read.document).toEqual(JSON.parse(text.replace(/^\uFEFF/, '')));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test('the largest files are read in one go: a text, a depth, keys that all stand twice', () => {
    expect(readJsonDocument(`{"a":"${'x\\n'.repeat(300_000)}"}`).ok).toBe(true);
    expect(problems('['.repeat(1_000_000))).toHaveLength(1);
    expect(problems(`{${'"a":1,'.repeat(150_000)}"a":1}`)).toHaveLength(20);
  });
});
