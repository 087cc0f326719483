import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText } from '../../src/protocol/well-formed.ts';

/** What a client of any language reads: bytes of UTF-8, with escapes that stand for whole characters. */
const asSent = (text: string) => JSON.parse(new TextDecoder().decode(new TextEncoder().encode(text)));

describe('text from outside', () => {
  it.each([
    ['cut\ud83d', 'cut\ufffd'],
    ['\ude00cut', '\ufffdcut'],
    ['\ud83d\ud83d\ude00\ude00', '\ufffd😀\ufffd'],
    ['C:\\ud83d\\\\ud83d', 'C:\\ud83d\\\\ud83d'],
    ['\\\ud83d', '\\\ufffd'],
    ['"\n\u0000\ud83d', '"\n\u0000\ufffd'],
  ])('%j holds no half of a pair when it is sent, and is the same otherwise', (given, sent) => {
    expect(asSent(jsonText({ [given]: [given] }))).toEqual({ [sent]: [sent] });
  });

  it('whatever it is: whole text stays as it is, and nothing but halves is replaced', () => {
    const unit = fc.constantFrom(...'\\ud83"\n8a'.split(''), '\ud83d', '\ude00', '😀');
    fc.assert(
      fc.property(fc.array(unit), (units) => {
        const text = units.join('');
        const mended = text.replace(/\p{Surrogate}/gu, '\ufffd');
        expect(jsonText(text)).toBe(JSON.stringify(mended));
      }),
    );
  });
});
