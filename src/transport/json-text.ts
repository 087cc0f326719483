/** From bytes to a JSON value at the border: strict UTF-8, bounded depth. Never throws. */

/** Deeper documents are refused, so that nothing behind the border has to fear for its stack. */
const MAX_DEPTH = 32;

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

const decoder = new TextDecoder('utf-8', { fatal: true });

export function parseJsonBytes(bytes: Uint8Array): Parsed {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { ok: false, reason: 'it is not UTF-8' };
  }
  return parseJson(text);
}

export function parseJson(text: string): Parsed {
  if (text.trim() === '') return { ok: false, reason: 'it is empty' };
  if (depthOf(text) > MAX_DEPTH) return { ok: false, reason: `it is nested deeper than ${MAX_DEPTH}` };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, reason: 'it is not JSON' };
  }
}

/** The deepest nesting of brackets outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (inString) {
      if (char === '\\') i += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++depth);
    else if (char === '}' || char === ']') depth -= 1;
  }
  return deepest;
}
