/**
 * The cases of raw-websocket-cases.ts against the server. What follows a frame that is borne is a question: `alive` is its
 * answer. `cut` is an end without a close frame, which a client sees as 1006.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frame, OPCODE, RawWebSocket, type ReadFrame, upgradeRequest } from '../helpers/raw-websocket.ts';
import { type TestServer, testServer, VIEW } from '../helpers/transport-server.ts';
import { ALIVE, ALIVE_QUESTION, type By, CASES, PING } from './raw-websocket-cases.ts';

let t: TestServer;
beforeAll(async () => {
  t = await testServer();
});
afterAll(() => t.stop());
afterEach(async () => {
  expect(t.errors).toEqual([]);
  expect((await t.request('/health')).status).toBe(200);
});

describe.each(CASES)('%s', (_heading, cases) => {
  test.each(cases)('%s', async (_name, chunks, expected) => {
    expect(await talk(chunks, expected.includes('waits'))).toEqual(expected);
  });
});

/** Opens, sends, then asks whether it is alive; says what came back. */
async function talk(chunks: readonly Uint8Array[], waits: boolean): Promise<string[]> {
  const socket = await RawWebSocket.open(t.port, upgradeRequest(t.port, { Authorization: `Bearer ${VIEW}` }));
  await socket.until(() => socket.frames.length > 0);
  const from = socket.frames.length;
  socket.send(...chunks);
  const came = () => socket.frames.slice(from).map(said);
  if (waits) {
    // Nothing comes of it, and nobody else waits for it.
    expect((await t.request('/health')).status).toBe(200);
    socket.socket.destroy();
    await socket.gone;
    return [...came(), 'waits'];
  }
  // A frame without a mask is given the next four bytes as one, so that a mask at random would be read as whatever frame it is.
  socket.send(frame({ payload: ALIVE_QUESTION, mask: '\x03\x03\x03\x03' }));
  await socket.until(() => came().some((line) => line === ALIVE));
  const lines = came();
  socket.socket.destroy();
  if (lines.at(-1) === ALIVE) return [...lines.slice(0, -1), 'alive'];
  return lines.some((line) => line.startsWith('close')) ? lines : [...lines, 'cut'];
}

function said({ opcode, payload, masked, rsv, fin }: ReadFrame): string {
  expect([masked, rsv, fin]).toEqual([false, 0, true]);
  if (opcode === OPCODE.pong) return `pong ${payload.toString('latin1')}`;
  if (opcode === OPCODE.close) {
    if (payload.length < 2) return 'close none';
    return `close ${payload.readUInt16BE()} ${payload.subarray(2)}`.trim();
  }
  const body = JSON.parse(payload.toString());
  if (body.type === 'error') return `error ${body.problem.type.split(':').at(-1)}`;
  if (body.type === 'bye') return `bye ${body.code}`;
  return `${body.type} frame`;
}

const HANDSHAKE: readonly (readonly [string, Parameters<typeof upgradeRequest>[1], number | 'close', By])[] =
  [
    ['a right one', {}, 101, 'server'],
    ['websocket in capitals', { Upgrade: 'WebSocket' }, 101, 'uWebSockets.js'],
    ['upgrade in small letters', { Connection: 'upgrade' }, 101, 'uWebSockets.js'],
    ['Connection as a list', { Connection: 'keep-alive, Upgrade' }, 101, 'uWebSockets.js'],
    ['no Connection', { Connection: null }, 101, 'uWebSockets.js'],
    ['Connection: close', { Connection: 'close' }, 101, 'uWebSockets.js'],
    ['no Upgrade', { Upgrade: null }, 426, 'server'],
    ['an Upgrade to something else', { Upgrade: 'h2c' }, 426, 'server'],
    ['Upgrade as a list', { Upgrade: 'h2c, websocket' }, 101, 'server'],
    ['two Upgrades', { Upgrade: ['websocket', 'websocket'] }, 101, 'uWebSockets.js'],
    ['no key', { 'Sec-WebSocket-Key': null }, 404, 'uWebSockets.js'],
    ['an empty key', { 'Sec-WebSocket-Key': '' }, 404, 'uWebSockets.js'],
    ['a key too short', { 'Sec-WebSocket-Key': 'abc' }, 404, 'uWebSockets.js'],
    ['a key too long', { 'Sec-WebSocket-Key': 'A'.repeat(25) }, 404, 'uWebSockets.js'],
    ['24 characters that are no base64', { 'Sec-WebSocket-Key': '!'.repeat(24) }, 101, 'uWebSockets.js'],
    [
      'two keys',
      { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'AAAAAAAAAAAAAAAAAAAAAA=='] },
      101,
      'uWebSockets.js',
    ],
    ['no version', { 'Sec-WebSocket-Version': null }, 426, 'server'],
    ['version 8', { 'Sec-WebSocket-Version': '8' }, 426, 'server'],
    ['version 13, 8', { 'Sec-WebSocket-Version': '13, 8' }, 426, 'server'],
    ['version 013', { 'Sec-WebSocket-Version': '013' }, 426, 'server'],
    ['two versions', { 'Sec-WebSocket-Version': ['13', '13'] }, 426, 'server'],
    ['no token', { Authorization: null }, 401, 'server'],
    ['two tokens', { Authorization: [`Bearer ${VIEW}`, `Bearer ${VIEW}`] }, 401, 'server'],
    ['no Host', { Host: null }, 400, 'uWebSockets.js'],
    ['a foreign Host', { Host: 'evil.example' }, 403, 'server'],
    ['a foreign Origin', { Origin: 'https://evil.example' }, 403, 'server'],
    ['Origin null', { Origin: 'null' }, 403, 'server'],
    ['an unknown subprotocol', { 'Sec-WebSocket-Protocol': 'chat' }, 101, 'server'],
    [
      'an extension',
      { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
      101,
      'server',
    ],
    ['an extension that nobody knows', { 'Sec-WebSocket-Extensions': 'x-nothing' }, 101, 'server'],
  ];

describe('handshake (4.2)', () => {
  const open = (headers: Parameters<typeof upgradeRequest>[1], line?: string, early?: Uint8Array) =>
    RawWebSocket.open(
      t.port,
      upgradeRequest(t.port, { Authorization: `Bearer ${VIEW}`, ...headers }, line),
      early,
    );

  test.each(HANDSHAKE)('%s', async (_name, headers, expected) => {
    const got = await open(headers).then(
      (socket) => {
        socket.socket.destroy();
        expect(socket.answer).toMatch(/^Upgrade: websocket\r\n/im);
        expect(socket.answer).toMatch(/^Connection: Upgrade\r\n/im);
        expect(socket.answer).toMatch(/^Sec-WebSocket-Accept: \S{28}\r\n/im);
        expect(socket.answer).not.toMatch(/^Sec-WebSocket-(Extensions|Protocol):/im);
        return '101';
      },
      (error: Error) => (error.message.startsWith('closed') ? 'close' : error.message),
    );
    expect(got).toBe(String(expected));
  });

  test('the accept is that of RFC 6455, section 1.3', async () => {
    const socket = await open({});
    expect(socket.answer).toMatch(/^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im);
    socket.socket.destroy();
  });

  test.each(['POST / HTTP/1.1', 'PUT /x HTTP/1.1', 'OPTIONS / HTTP/1.1'])(
    '%s is no upgrade',
    async (line) => {
      await expect(open({}, line)).rejects.toThrow(/^40[45]$/);
    },
  );

  // The client has to wait for the answer (4.1); what it sends before is lost, and costs nothing else.
  test('a frame right behind the request is not heard, and the link lives', async () => {
    const socket = await open({}, undefined, frame({ payload: PING }));
    socket.send(frame({ payload: ALIVE_QUESTION }));
    await socket.until(() => socket.texts().length > 1);
    expect(socket.texts().map((f) => f.type)).toEqual(['welcome', 'command_result']);
    socket.socket.destroy();
  });
});
