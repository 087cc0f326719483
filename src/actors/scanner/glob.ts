/**
 * Globs over paths and command lines: `*` is any run of characters, slashes included, `?` is one character, all
 * else is itself. Case is ignored and a backslash is a slash, on both sides. The pieces between the stars are
 * searched from left to right and never again, so a hostile command line cannot make a match slow.
 */
import { exchanged } from '../../protocol/command-line.ts';

/** Lower case, slashes for backslashes: how both sides are compared. */
export function fold(text: string): string {
  return exchanged(text.toLowerCase(), '\\', '/');
}

/** Compiles a glob; the function takes text that `fold` has been over. */
export function compileGlob(glob: string): (folded: string) => boolean {
  const [head = '', ...rest] = fold(glob).split('*');
  const tail = rest.pop();
  if (tail === undefined) return (text) => endAt(text, head, 0) === text.length;
  const middle = rest.filter((piece) => piece !== '');
  return (text) => {
    const end = startOfTail(text, tail);
    let at = endAt(text, head, 0);
    if (at === -1 || end < at) return false;
    for (const piece of middle) {
      at = endOfNext(text, piece, at);
      if (at === -1) return false;
    }
    return at <= end;
  };
}

/** Where the first of such a piece ends, from there on; -1: there is none. */
function endOfNext(text: string, piece: string, from: number): number {
  if (!piece.includes('?')) {
    const found = text.indexOf(piece, from);
    return found === -1 ? -1 : found + piece.length;
  }
  for (let at = from; at + piece.length <= text.length; at += widthAt(text, at)) {
    const end = endAt(text, piece, at);
    if (end !== -1) return end;
  }
  return -1;
}

/** Where the piece ends that begins there; -1: it is not there. */
function endAt(text: string, piece: string, from: number): number {
  if (!piece.includes('?')) return text.startsWith(piece, from) ? from + piece.length : -1;
  let at = from;
  for (let i = 0; i < piece.length; i++) {
    if (at >= text.length || (piece[i] !== '?' && piece[i] !== text[at])) return -1;
    at += piece[i] === '?' ? widthAt(text, at) : 1;
  }
  return at;
}

/** Where the piece begins that the text ends with; -1: it ends otherwise. */
function startOfTail(text: string, piece: string): number {
  if (!piece.includes('?')) return text.endsWith(piece) ? text.length - piece.length : -1;
  let at = text.length;
  for (let i = piece.length - 1; i >= 0; i--) {
    if (at <= 0 || (piece[i] !== '?' && piece[i] !== text[at - 1])) return -1;
    at -= piece[i] === '?' && at > 1 ? widthAt(text, at - 2) : 1;
  }
  return at;
}

/** Of the character there, in the units that strings count: an emoji is two. */
function widthAt(text: string, at: number): 1 | 2 {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
