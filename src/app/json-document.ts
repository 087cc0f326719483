/**
 * A JSON document as a person writes it, with what JSON.parse does not say: the line of a mistake in every version of
 * Node, and keys that stand twice, of which all but the last would count for nothing. Pure.
 */
import type { FieldError } from '../protocol/problems.ts';

export type JsonDocument =
  | { readonly ok: true; readonly document: unknown }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Each takes a walk through the text to its line. */
const MOST_DOUBLED = 20;

/** A byte-order mark, as Windows editors write it, is passed over. */
export function readJsonDocument(text: string): JsonDocument {
  const bare = text.replace(/^\uFEFF/, '');
  const { mistake, doubled } = scan(bare);
  if (mistake) return refused([{ path: '$', message: `the file is not JSON: ${mistake}` }]);
  if (doubled.length > 0) return refused(doubled);
  try {
    return { ok: true, document: JSON.parse(bare) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return refused([{ path: '$', message: `the file is not JSON: ${why}` }]);
  }
}

const refused = (errors: readonly FieldError[]) => ({ ok: false, errors }) as const;

interface Scan {
  /** The first mistake of grammar, with its place. */
  readonly mistake: string | null;
  readonly doubled: readonly FieldError[];
}

/** An object or an array that is not at its end. */
interface Open {
  /** Of an object: where each key stands; null: it is an array. */
  readonly keys: Map<string, number> | null;
  /** The key or the index of what is read now. */
  at: string | number;
}

type Expected = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing';

const BLANK = /[ \t\r\n]*/y;
const TEXT = /"(?:[ !\u0023-\u005b\u005d-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

function scan(text: string): Scan {
  const stack: Open[] = [];
  const doubled: FieldError[] = [];
  let expected: Expected = 'value';
  let position = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = position;
    const [found = ''] = pattern.exec(text) ?? [];
    position += found.length;
    return found;
  };
  const afterValue = (): Expected => (stack.length === 0 ? 'nothing' : 'comma or end');
  const mistake = () => ({ mistake: mistakeAt(text, position, expected), doubled });

  for (;;) {
    take(BLANK);
    const sign = text[position];
    const top = stack.at(-1);
    if (sign === undefined) return expected === 'nothing' ? { mistake: null, doubled } : mistake();
    if (expected === 'value' || expected === 'value or end') {
      if (sign === '{' || sign === '[') {
        position += 1;
        const isObject = sign === '{';
        stack.push({ keys: isObject ? new Map() : null, at: 0 });
        expected = isObject ? 'key or end' : 'value or end';
        continue;
      }
      if (take(TEXT) || take(PLAIN)) {
        expected = afterValue();
        continue;
      }
    }
    if ((expected === 'key' || expected === 'key or end') && top?.keys) {
      const before = position;
      const key = take(TEXT);
      if (key) {
        const name = String(JSON.parse(key));
        top.at = name;
        const first = top.keys.get(name);
        if (first === undefined) top.keys.set(name, before);
        else if (doubled.length < MOST_DOUBLED) doubled.push(twice(stack, text, first, before));
        expected = 'colon';
        continue;
      }
    }
    if (expected === 'colon' && sign === ':') {
      position += 1;
      expected = 'value';
      continue;
    }
    if (expected === 'comma or end' && sign === ',' && top) {
      position += 1;
      if (typeof top.at === 'number') top.at += 1;
      expected = top.keys ? 'key' : 'value';
      continue;
    }
    if (expected.endsWith('or end') && sign === (top?.keys ? '}' : ']')) {
      position += 1;
      stack.pop();
      expected = afterValue();
      continue;
    }
    return mistake();
  }
}

function twice(stack: readonly Open[], text: string, first: number, second: number): FieldError {
  const lines = `lines ${placeOf(text, first).line} and ${placeOf(text, second).line}`;
  return { path: stack.map(({ at }) => at).join('.'), message: `stands there twice (${lines}): keep one` };
}

function mistakeAt(text: string, position: number, expected: Expected): string {
  if (text.trim() === '') return 'it is empty';
  if (position >= text.length) return 'it ends too early: something that was opened is not closed';
  const { line, column } = placeOf(text, position);
  return `line ${line}, column ${column}: ${explained(text, position, expected)}`;
}

function explained(text: string, position: number, expected: Expected): string {
  const sign = String.fromCodePoint(text.codePointAt(position) ?? 0);
  if (sign === '\0') return 'it is not UTF-8: save it anew as UTF-8';
  if (sign === '#' || /^\/[/*]/.test(text.slice(position, position + 2))) return 'JSON has no comments';
  if (/[}\]]/.test(sign) && /,\s*$/.test(text.slice(0, position))) return 'the comma before it is too many';
  if (/['`‘’“”„«»]/.test(sign)) return 'texts and keys stand between straight double quotes (")';
  if (sign === '"' && /key|value/.test(expected))
    return 'this text is not closed on its line, or holds a \\ that must be doubled';
  if (expected === 'nothing') return 'something follows after the end';
  const wanted = {
    value: 'a value',
    'value or end': 'a value or ]',
    key: 'a key in double quotes',
    'key or end': 'a key in double quotes, or }',
    colon: 'a colon',
    'comma or end': 'a comma or the end',
  }[expected];
  return `${wanted} is expected, not ${JSON.stringify(sign)}`;
}

/** As editors count, from 1. */
function placeOf(text: string, position: number): { readonly line: number; readonly column: number } {
  const lines = text.slice(0, position).split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
