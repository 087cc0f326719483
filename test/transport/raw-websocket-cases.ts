/**
 * WebSocket frames as no library sends them, under RFC 6455's headings. Each case says what comes back; `by`
 * names who decides: the server, or uWebSockets.js before a handler sees anything.
 */
import { closeFrame, frame, OPCODE } from '../helpers/raw-websocket.ts';

export type By = 'server' | 'uWebSockets.js';
export type Case = readonly [name: string, bytes: readonly Uint8Array[], expected: readonly string[], by: By];

/** Asked after what a case sends: its answer is told from every other. */
export const ALIVE_QUESTION = '{"type":"command","payload":{"command":"get_live_status"}}';
export const ALIVE = 'command_result frame';
const READY = '{"type":"desktop_ready"}';
export const PING = '{"type":"ping"}';
const KIB = 1024;
const { continuation, text, binary, close, ping, pong } = OPCODE;
const part = (opcode: number, payload: string | Uint8Array, fin = false) => frame({ opcode, payload, fin });
const last = (payload: string | Uint8Array) => part(continuation, payload, true);
/** A frame that is understood, of so many bytes. */
const sized = (bytes: number) => PING.padEnd(bytes, ' ');
const bytes = (...values: number[]) => Uint8Array.from(values);
const each = (buffer: Uint8Array) => [...buffer].map((byte) => bytes(byte));
const text8 = (payload: Uint8Array) => frame({ opcode: text, payload });
const quoted = (payload: Uint8Array) => text8(Buffer.concat([Buffer.from('"'), payload, Buffer.from('"')]));

const FRAMING: Case[] = [
  ['a frame in one packet', [frame({ payload: READY })], ['alive'], 'server'],
  ['a frame byte by byte', each(frame({ payload: READY })), ['alive'], 'server'],
  [
    'two frames in one packet',
    [Buffer.concat([frame({ payload: PING }), frame({ payload: PING })])],
    ['pong frame', 'pong frame', 'alive'],
    'server',
  ],
  [
    'a hundred frames in one packet',
    [Buffer.concat(Array.from({ length: 100 }, () => frame({ payload: READY })))],
    ['alive'],
    'server',
  ],
  ['an empty text', [frame()], ['error bad-json', 'alive'], 'server'],
  ['an empty binary', [frame({ opcode: binary })], ['error bad-json', 'alive'], 'server'],
  [
    'a binary with JSON in it',
    [frame({ opcode: binary, payload: PING })],
    ['error bad-json', 'alive'],
    'server',
  ],
  [
    'a length of 16 bits where 7 would do',
    [frame({ payload: PING, lengthBytes: 2 })],
    ['pong frame', 'alive'],
    'uWebSockets.js',
  ],
  [
    'a length of 64 bits where 7 would do',
    [frame({ payload: PING, lengthBytes: 8 })],
    ['pong frame', 'alive'],
    'uWebSockets.js',
  ],
  [
    'a length of 64 bits where 16 would do',
    [frame({ payload: sized(300), lengthBytes: 8 })],
    ['pong frame', 'alive'],
    'uWebSockets.js',
  ],
  [
    'a length of 64 bits with the highest bit set',
    [frame({ payload: PING, lengthBytes: 8, length: 2n ** 63n + 15n })],
    ['cut'],
    'uWebSockets.js',
  ],
  ['a head without its frame, then the end', [frame({ payload: READY }).subarray(0, 3)], ['waits'], 'server'],
  ['125 bytes', [frame({ payload: sized(125) })], ['pong frame', 'alive'], 'server'],
  ['126 bytes', [frame({ payload: sized(126) })], ['pong frame', 'alive'], 'server'],
  ['65,535 bytes', [frame({ payload: sized(65_535) })], ['pong frame', 'alive'], 'server'],
];

const MASKING: Case[] = [
  ['a frame without a mask', [frame({ payload: READY, mask: false })], ['cut'], 'uWebSockets.js'],
  ['an empty frame without a mask', [frame({ mask: false })], ['cut'], 'uWebSockets.js'],
  ['a ping without a mask', [frame({ opcode: ping, mask: false })], ['cut'], 'uWebSockets.js'],
  ['a mask of zeros', [frame({ payload: PING, mask: '\0\0\0\0' })], ['pong frame', 'alive'], 'server'],
  ['a mask of ones', [frame({ payload: PING, mask: '\xff\xff\xff\xff' })], ['pong frame', 'alive'], 'server'],
  ['parts with a mask each', [part(text, '{"type":'), last('"ping"}')], ['pong frame', 'alive'], 'server'],
];

const RESERVED: Case[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map(
    (rsv): Case => [
      `reserved bits ${rsv.toString(2).padStart(3, '0')}`,
      [frame({ payload: PING, rsv })],
      ['cut'],
      'uWebSockets.js',
    ],
  ),
  ['a reserved bit in a ping', [frame({ opcode: ping, rsv: 4 })], ['cut'], 'uWebSockets.js'],
  [
    'a reserved bit in a continuation',
    [part(text, '{"type":'), frame({ opcode: continuation, payload: '"ping"}', rsv: 4 })],
    ['cut'],
    'uWebSockets.js',
  ],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Case => [
      `reserved opcode ${opcode}`,
      [frame({ opcode, payload: PING })],
      ['cut'],
      'uWebSockets.js',
    ],
  ),
];

const FRAGMENTATION: Case[] = [
  ['two parts', [part(text, '{"type":'), last('"ping"}')], ['pong frame', 'alive'], 'server'],
  [
    'a part for each byte',
    [part(text, ''), ...[...PING].map((c) => part(continuation, c)), last('')],
    ['pong frame', 'alive'],
    'server',
  ],
  [
    'only empty parts',
    [part(text, ''), part(continuation, ''), last('')],
    ['error bad-json', 'alive'],
    'server',
  ],
  [
    'a thousand empty parts',
    [part(text, PING), ...Array.from({ length: 1_000 }, () => part(continuation, '')), last('')],
    ['pong frame', 'alive'],
    'server',
  ],
  ['parts of a binary', [part(binary, '{'), last('}')], ['error bad-json', 'alive'], 'server'],
  ['a continuation of nothing', [last(PING)], ['cut'], 'uWebSockets.js'],
  ['a continuation of nothing that goes on', [part(continuation, PING)], ['cut'], 'uWebSockets.js'],
  [
    'a continuation after the last part',
    [Buffer.concat([part(text, '{"type":'), last('"ping"}'), last('x')])],
    ['cut'],
    'uWebSockets.js',
  ],
  [
    'a new text inside of parts',
    [part(text, '{"type":'), frame({ payload: PING })],
    ['cut'],
    'uWebSockets.js',
  ],
  [
    'a new binary inside of parts',
    [part(text, '{"type":'), frame({ opcode: binary })],
    ['error bad-json', 'alive'],
    'uWebSockets.js',
  ],
  ['parts that never end', [part(text, '{"type":')], ['waits'], 'server'],
];

const CONTROL: Case[] = [
  ['a ping', [frame({ opcode: ping })], ['pong ', 'alive'], 'uWebSockets.js'],
  [
    'a ping with a payload',
    [frame({ opcode: ping, payload: 'abc' })],
    ['pong abc', 'alive'],
    'uWebSockets.js',
  ],
  [
    'a ping of 125 bytes',
    [frame({ opcode: ping, payload: 'a'.repeat(125) })],
    [`pong ${'a'.repeat(125)}`, 'alive'],
    'uWebSockets.js',
  ],
  ['a ping of 126 bytes', [frame({ opcode: ping, payload: 'a'.repeat(126) })], ['cut'], 'uWebSockets.js'],
  ['a ping of 64 KiB', [frame({ opcode: ping, payload: 'a'.repeat(64 * KIB) })], ['cut'], 'uWebSockets.js'],
  ['a ping in parts', [part(ping, 'a'), last('b')], ['cut'], 'uWebSockets.js'],
  ['a pong in parts', [part(pong, 'a'), last('b')], ['cut'], 'uWebSockets.js'],
  ['a close in parts', [part(close, bytes(3, 232)), last('')], ['cut'], 'uWebSockets.js'],
  [
    'a ping between two parts',
    [part(text, '{"type":'), frame({ opcode: ping, payload: 'x' }), last('"ping"}')],
    ['pong x', 'pong frame', 'alive'],
    'server',
  ],
  [
    'a ping byte by byte between two parts',
    [part(text, '{"type":'), ...each(frame({ opcode: ping, payload: 'x' })), last('"ping"}')],
    ['pong x', 'pong frame', 'alive'],
    'server',
  ],
  [
    'ten pings at once',
    [Buffer.concat(Array.from({ length: 10 }, () => frame({ opcode: ping })))],
    [...Array.from({ length: 10 }, () => 'pong '), 'alive'],
    'uWebSockets.js',
  ],
  ['a pong that nobody asked for', [frame({ opcode: pong, payload: 'o:999' })], ['alive'], 'server'],
  ['a pong that is not UTF-8', [frame({ opcode: pong, payload: bytes(0xff, 0xfe) })], ['alive'], 'server'],
  ['a pong of 126 bytes', [frame({ opcode: pong, payload: 'a'.repeat(126) })], ['cut'], 'uWebSockets.js'],
  [
    'a pong between two parts',
    [part(text, '{"type":'), frame({ opcode: pong }), last('"ping"}')],
    ['pong frame', 'alive'],
    'server',
  ],
  ['a close between two parts', [part(text, '{"type":'), closeFrame(1000)], ['close 1000'], 'uWebSockets.js'],
];

const UTF8: Case[] = [
  [
    'two, three and four bytes a character',
    [quoted(Buffer.from('aé€😀'))],
    ['error schema-mismatch', 'alive'],
    'server',
  ],
  [
    'a character over two parts',
    [
      part(text, Buffer.concat([Buffer.from('"'), bytes(0xe2, 0x82)])),
      last(Buffer.concat([bytes(0xac), Buffer.from('"')])),
    ],
    ['error schema-mismatch', 'alive'],
    'server',
  ],
  [
    'a character over four parts',
    [
      part(text, bytes(0xf0)),
      part(continuation, bytes(0x9f)),
      part(continuation, bytes(0x98)),
      last(bytes(0x80)),
    ],
    ['error bad-json', 'alive'],
    'server',
  ],
  ['NUL', [quoted(bytes(0))], ['error bad-json', 'alive'], 'server'],
  ['a byte order mark', [text8(Buffer.from(`\ufeff${PING}`))], ['error bad-json', 'alive'], 'server'],
  [
    'the last code point',
    [quoted(bytes(0xf4, 0x8f, 0xbf, 0xbf))],
    ['error schema-mismatch', 'alive'],
    'server',
  ],
  ['a code point beyond the last', [quoted(bytes(0xf4, 0x90, 0x80, 0x80))], ['cut'], 'uWebSockets.js'],
  ['a surrogate', [quoted(bytes(0xed, 0xa0, 0x80))], ['cut'], 'uWebSockets.js'],
  ['an overlong slash', [quoted(bytes(0xc0, 0xaf))], ['cut'], 'uWebSockets.js'],
  ['an overlong NUL of three bytes', [quoted(bytes(0xe0, 0x80, 0x80))], ['cut'], 'uWebSockets.js'],
  ['a lone continuation byte', [quoted(bytes(0x80))], ['cut'], 'uWebSockets.js'],
  ['a character that is not finished', [text8(bytes(0x22, 0xe2, 0x82))], ['cut'], 'uWebSockets.js'],
  [
    'a character that is not finished over two parts',
    [part(text, bytes(0x22, 0xe2)), last(bytes(0x82))],
    ['cut'],
    'uWebSockets.js',
  ],
  ['0xfe and 0xff', [quoted(bytes(0xfe, 0xff))], ['cut'], 'uWebSockets.js'],
  [
    'no UTF-8 in a binary',
    [frame({ opcode: binary, payload: bytes(0xff, 0xfe) })],
    ['error bad-json', 'alive'],
    'server',
  ],
  [
    'no UTF-8 in a ping',
    [frame({ opcode: ping, payload: bytes(0xff) })],
    ['pong \xff', 'alive'],
    'uWebSockets.js',
  ],
];

const code = (n: number, expected: string, by: By = 'uWebSockets.js'): Case => [
  `code ${n}`,
  [closeFrame(n)],
  [expected],
  by,
];
const CLOSING: Case[] = [
  ['no code', [closeFrame()], ['close none'], 'uWebSockets.js'],
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 4000, 4500, 4999].map((n) =>
    code(n, `close ${n}`),
  ),
  ...[0, 999, 1004, 1005, 1006, 1012, 1015, 2000, 2999, 3000, 3999, 5000, 65_535].map((n) =>
    code(n, 'close none'),
  ),
  ['half a code', [frame({ opcode: close, payload: bytes(3) })], ['close none'], 'uWebSockets.js'],
  ['a reason', [closeFrame(1000, 'going home')], ['close 1000 going home'], 'uWebSockets.js'],
  [
    'the longest reason',
    [closeFrame(1000, 'r'.repeat(123))],
    [`close 1000 ${'r'.repeat(123)}`],
    'uWebSockets.js',
  ],
  ['a reason too long', [closeFrame(1000, 'r'.repeat(124))], ['cut'], 'uWebSockets.js'],
  ['a reason that is not UTF-8', [closeFrame(1000, bytes(0xff))], ['close none'], 'uWebSockets.js'],
  ['two closes', [closeFrame(1000), closeFrame(1001)], ['close 1000'], 'uWebSockets.js'],
  ['a frame after the close', [closeFrame(1000), frame({ payload: PING })], ['close 1000'], 'uWebSockets.js'],
  ['a ping after the close', [closeFrame(1000), frame({ opcode: ping })], ['close 1000'], 'uWebSockets.js'],
];

const LIMITS: Case[] = [
  ['64 KiB', [frame({ payload: sized(64 * KIB) })], ['pong frame', 'alive'], 'server'],
  ['one byte more than 64 KiB', [frame({ payload: sized(64 * KIB + 1) })], ['cut'], 'uWebSockets.js'],
  [
    'a frame that says one byte more, and sends none',
    [frame({ length: 64 * KIB + 1 })],
    ['cut'],
    'uWebSockets.js',
  ],
  ['a frame that says a terabyte', [frame({ length: 2n ** 40n })], ['cut'], 'uWebSockets.js'],
  [
    '64 KiB in two parts',
    [part(text, sized(32 * KIB)), last(' '.repeat(32 * KIB))],
    ['pong frame', 'alive'],
    'server',
  ],
  [
    'one byte more in two parts',
    [part(text, sized(32 * KIB)), last(' '.repeat(32 * KIB + 1))],
    ['cut'],
    'uWebSockets.js',
  ],
  [
    '64 KiB of binary',
    [frame({ opcode: binary, payload: sized(64 * KIB) })],
    ['error bad-json', 'alive'],
    'server',
  ],
  [
    'ten frames that are not understood',
    Array.from({ length: 10 }, () => frame({ payload: '1' })),
    [...Array.from({ length: 10 }, () => 'error schema-mismatch'), 'alive'],
    'server',
  ],
  [
    'eleven of them',
    Array.from({ length: 11 }, () => frame({ payload: '1' })),
    [
      ...Array.from({ length: 10 }, () => 'error schema-mismatch'),
      'bye 4500',
      'close 4500 bad frame or hello',
    ],
    'server',
  ],
];

/** By heading. */
export const CASES: readonly (readonly [heading: string, cases: readonly Case[]])[] = [
  ['framing (5.2)', FRAMING],
  ['masking (5.3)', MASKING],
  ['reserved bits and opcodes (5.2)', RESERVED],
  ['fragmentation (5.4)', FRAGMENTATION],
  ['control frames (5.5)', CONTROL],
  ['UTF-8 (8.1)', UTF8],
  ['closing (7.4)', CLOSING],
  ['limits (10.4)', LIMITS],
];
