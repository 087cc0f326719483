/** The bytes of the kernel's process connector. */
import { describe, expect, test } from 'vitest';
import {
  listenMessage,
  PROC_EVENT_EXEC,
  PROC_EVENT_EXIT,
  PROC_EVENT_FORK,
  parseEvent,
} from '../../../src/actors/scanner/netlink.ts';

describe('the bytes of the connector', () => {
  test('a listen message, plain and with a mask', () => {
    expect(listenMessage().length).toBe(40);
    const masked = listenMessage((PROC_EVENT_EXEC | PROC_EVENT_EXIT) >>> 0);
    expect(masked.readUInt32LE(0)).toBe(masked.length);
    expect(masked.readUInt16LE(32)).toBe(8);
    expect(masked.readUInt32LE(40)).toBe(0x8000_0002);
  });

  function message(what: number, ...words: number[]): Buffer {
    const bytes = Buffer.alloc(80);
    bytes.writeUInt32LE(what, 36);
    bytes.writeBigUInt64LE(12_345_678_901_234n, 44);
    words.forEach((word, index) => {
      bytes.writeInt32LE(word, 52 + index * 4);
    });
    return bytes;
  }

  test.each([
    ['exec', message(PROC_EVENT_EXEC, 7, 7), { what: 'exec', pid: 7, atMs: 12_345_678.901234 }],
    ['exit', message(PROC_EVENT_EXIT, 7, 7), { what: 'exit', pid: 7, leader: true, atMs: 12_345_678.901234 }],
    ['a thread’s exit', message(PROC_EVENT_EXIT, 9, 7), { what: 'exit', pid: 7, leader: false }],
    [
      'fork',
      message(PROC_EVENT_FORK, 5, 5, 7, 7),
      { what: 'fork', parent: 5, child: 7, atMs: 12_345_678.901234 },
    ],
    ['a new thread', message(PROC_EVENT_FORK, 5, 5, 9, 5), null],
    ['the answer', message(0, 1), { what: 'answer', error: 1 }],
    ['another kind', message(0x4, 7, 7), null],
  ])('%s', (_, bytes, expected) => {
    const parsed = parseEvent(bytes, bytes.length);
    if (expected === null) expect(parsed).toBeNull();
    else expect(parsed).toMatchObject(expected);
  });

  test('a message that is cut off is none', () => {
    expect(parseEvent(message(PROC_EVENT_EXEC, 7, 7), 40)).toBeNull();
  });
});
