/**
 * Globs over paths and command lines: `*` is any run of characters, slashes included, `?` is one character, all
 * else is itself. Case is ignored and a backslash is a slash, on both sides. The pieces between the stars are
 * searched from left to right and never again, so a hostile command line cannot make a match slow.
 */

/** Lower case, slashes for backslashes: how both sides are compared. */
export function fold(text: string): string {
  return text.toLowerCase().replaceAll('\\', '/');
}

/** Compiles a glob; the function takes text that `fold` has been over. */
export function compileGlob(glob: string): (folded: string) => boolean {
  const [head = '', ...rest] = fold(glob).split('*');
  const tail = rest.pop();
  if (tail === undefined) return (text) => text.length === head.length && fitsAt(text, head, 0);
  const middle = rest.filter((piece) => piece !== '');
  return (text) => {
    const end = text.length - tail.length;
    if (end < head.length || !fitsAt(text, head, 0) || !fitsAt(text, tail, end)) return false;
    let at = head.length;
    for (const piece of middle) {
      const found = find(text, piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at <= end;
  };
}

function find(text: string, piece: string, from: number): number {
  if (!piece.includes('?')) return text.indexOf(piece, from);
  for (let at = from; at + piece.length <= text.length; at++) {
    if (fitsAt(text, piece, at)) return at;
  }
  return -1;
}

function fitsAt(text: string, piece: string, at: number): boolean {
  if (!piece.includes('?')) return text.startsWith(piece, at);
  if (at + piece.length > text.length) return false;
  for (let i = 0; i < piece.length; i++) {
    if (piece[i] !== '?' && piece[i] !== text[at + i]) return false;
  }
  return true;
}
