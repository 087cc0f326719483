/**
 * A JSON document as a person writes it, with what JSON.parse does not say: the line of a mistake in every version of
 * Node, and keys that stand twice, of which all but the last would count for nothing. Pure.
 */
import { parse, type ValueNode } from '@humanwhocodes/momoa';
import type { FieldError } from '../protocol/problems.ts';

export type JsonDocument =
  | { readonly ok: true; readonly document: unknown }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** More of them make nobody wiser. */
const MOST_DOUBLED = 20;

/** A byte-order mark, as Windows editors write it, is passed over. */
export function readJsonDocument(text: string): JsonDocument {
  const bare = text.replace(/^\uFEFF/, '');
  let document: unknown;
  try {
    document = JSON.parse(bare);
  } catch (error) {
    const why = bare.trim() === '' ? 'it is empty' : (mistakeIn(bare) ?? messageOf(error));
    return { ok: false, errors: [{ path: '$', message: `the file is not JSON: ${why}` }] };
  }
  const errors = doubledKeys(bare).slice(0, MOST_DOUBLED);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, document };
}

function doubledKeys(text: string): FieldError[] {
  const doubled: FieldError[] = [];

  function walk(node: ValueNode, path: readonly (string | number)[]): void {
    if (node.type === 'Array') {
      for (const [i, { value }] of node.elements.entries()) walk(value, [...path, i]);
    }
    if (node.type !== 'Object') return;
    const lines = new Map<string, number>();
    for (const { name, value } of node.members) {
      const key = name.type === 'String' ? name.value : name.name;
      const at = [...path, key];
      const { line } = name.loc.start;
      const first = lines.get(key);
      if (first === undefined) lines.set(key, line);
      else {
        const message = `stands there twice (lines ${first} and ${line}): keep one`;
        doubled.push({ path: at.join('.'), message });
      }
      walk(value, at);
    }
  }

  try {
    walk(parse(text, { mode: 'json' }).body, []);
  } catch (error) {
    // Deeper than the stack: no schema has a place for such a document.
    if (!(error instanceof RangeError)) throw error;
  }
  return doubled;
}

/** null: it is not to be found. */
function mistakeIn(text: string): string | null {
  try {
    parse(text, { mode: 'json' });
    return null;
  } catch (error) {
    if (!isPlaced(error)) return null;
    const { line, column, offset } = error;
    if (offset >= text.length || /EOF/.test(error.constructor.name)) {
      return 'it ends too early: something that was opened is not closed';
    }
    return `line ${line}, column ${column}: ${explained(text, offset)}`;
  }
}

function explained(text: string, offset: number): string {
  const sign = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  const before = text.slice(0, offset);
  if (sign === '\0') return 'it is not UTF-8: save it anew as UTF-8';
  if (/^(?:#|\/[/*])/.test(text.slice(offset, offset + 2))) return 'JSON has no comments';
  if (/[}\]]/.test(sign) && /,\s*$/.test(before)) return 'the comma before it is too many';
  if (sign === '\\') return 'a \\ in a text must be doubled';
  if (/[\p{L}'`‘’“”„«»]/u.test(sign)) return 'texts and keys stand between straight double quotes (")';
  return `${JSON.stringify(sign)} is not expected here`;
}

interface Placed extends Error {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

const isPlaced = (error: unknown): error is Placed => error instanceof Error && 'offset' in error;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
