/**
 * Text from outside may hold half a surrogate pair (an emoji cut in the middle), which is no Unicode: a client that
 * refuses the one event with it would be held up by it for ever. Asked for in what a parent sends, mended in the rest. Pure.
 */
import * as z from 'zod/mini';

/** Refuses text that holds half a surrogate pair. */
export const wellFormed = z.refine<string>(
  (text) => !/\p{Surrogate}/u.test(text),
  'must be well-formed Unicode, without half a surrogate pair',
);

/** JSON.stringify, with U+FFFD in the place of each half: a name from Windows or the configuration may hold one. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  // Whole pairs stand there as they are, halves as an escape.
  if (!text.includes('\\ud')) return text;
  return text.replace(/\\(?:ud[89a-f]..|.)/g, (sign) => (sign.length > 2 ? '\ufffd' : sign));
}
