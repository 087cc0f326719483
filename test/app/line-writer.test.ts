import { describe, expect, test } from 'vitest';
import { LineWriter, type Put } from '../../src/app/line-writer.ts';

/** A descriptor of which the test says when it takes what it was given, and how much. */
class Reader {
  text = '';
  #pending: { readonly bytes: Uint8Array; readonly done: Parameters<Put>[1] } | null = null;

  readonly put: Put = (bytes, done) => {
    if (this.#pending) throw new Error('a second write before the end of the first');
    this.#pending = { bytes, done };
  };

  get asked(): boolean {
    return this.#pending !== null;
  }

  /** Takes `count` bytes of the write under way; left out: all. */
  take(count?: number): void {
    const { bytes, done } = this.#next();
    const taken = bytes.subarray(0, count);
    this.text += Buffer.from(taken).toString();
    done(null, taken.length);
  }

  takeAll(): void {
    while (this.asked) this.take();
  }

  refuse(code: string): void {
    this.#next().done(Object.assign(new Error(code), { code }), 0);
  }

  #next() {
    const pending = this.#pending;
    if (!pending) throw new Error('nothing is written');
    this.#pending = null;
    return pending;
  }
}

function writerTo(reader: Reader, onError: (error: Error) => void = () => {}): LineWriter {
  return new LineWriter({ put: reader.put, lost: (count) => `lost ${count}\n`, onError });
}

describe('lines to a reader that may stand still', () => {
  test('lines come out whole and in order, whatever parts of them are taken', () => {
    const reader = new Reader();
    const writer = writerTo(reader);
    for (const line of ['one\n', 'two\n', 'three\n']) writer.write(line);
    while (reader.asked) reader.take(3);
    expect(reader.text).toBe('one\ntwo\nthree\n');
    expect(writer.writing).toBe(false);
  });

  test('what a still reader leaves is bounded; what is lost stands in its place, counted', () => {
    const reader = new Reader();
    const writer = writerTo(reader);
    const line = `${'x'.repeat(1_023)}\n`;
    for (let n = 0; n < 1_000; n += 1) writer.write(line);
    writer.write('y\n'); // It would fit, but stood before the word about what came before it.
    expect(writer.writing).toBe(true);
    reader.takeAll();
    writer.write('again\n');
    reader.takeAll();
    const kept = 1 + 64;
    expect(reader.text).toBe(`${line.repeat(kept)}lost ${1_000 - kept + 1}\nagain\n`);
  });

  test('a descriptor that would have to wait is asked again by itself', async () => {
    const reader = new Reader();
    const writer = writerTo(reader);
    writer.write('one\n');
    reader.refuse('EAGAIN');
    expect(writer.writing).toBe(false);
    writer.write('two\n');
    await expect.poll(() => reader.asked).toBe(true);
    reader.takeAll();
    expect(reader.text).toBe('one\ntwo\n');
  });

  test('what a failed write leaves comes with the next line, and the failure is told', () => {
    const reader = new Reader();
    const failures: string[] = [];
    const writer = writerTo(reader, ({ message }) => failures.push(message));
    writer.write('one\n');
    reader.take(2);
    reader.refuse('ENOSPC');
    expect(failures).toEqual(['ENOSPC']);
    writer.write('two\n');
    reader.takeAll();
    expect(reader.text).toBe('one\ntwo\n');
  });

  test('whoever waits for the last line waits until it is out, and no longer than asked', async () => {
    const reader = new Reader();
    const writer = writerTo(reader);
    await writer.written(60_000);
    writer.write('one\n');
    await writer.written(1);
    expect(writer.writing).toBe(true);
    const out = writer.written(60_000);
    reader.takeAll();
    await out;
    expect(writer.writing).toBe(false);
    writer.write('two\n');
    const refused = writer.written(60_000);
    reader.refuse('EPIPE');
    await refused;
    expect(reader.text).toBe('one\n');
  });
});
