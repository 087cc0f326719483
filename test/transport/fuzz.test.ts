/**
 * Bodies, queries and frames that nobody would write: never a 5xx, never a crash, never slow (contract section 8).
 * PLAYWARDEN_FUZZ sets how many; a failing seed is printed by fast-check.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONTROL, type TestServer, testServer } from '../helpers/transport-server.ts';

const RUNS = Number(process.env.PLAYWARDEN_FUZZ ?? 700);

let t: TestServer;
beforeAll(async () => {
  t = await testServer();
  // Before the names of the fuzz fill the eight places.
  t.clients.open('fuzz');
});
afterAll(async () => {
  expect(t.errors).toEqual([]);
  await t.stop();
});

const KEYS = [
  'type',
  'client_id',
  'client_version',
  'session_id',
  'success',
  'command',
  'command_id',
  'payload',
  'epoch',
  'offset',
  'resume',
  'parameters',
  '__proto__',
  'constructor',
  'toString',
  'jws',
  '',
];
const TYPES = ['hello', 'ack', 'ping', 'desktop_ready', 'command', 'bye', '__proto__'];
const leaf = fc.oneof(
  fc.constantFrom(...TYPES, ...KEYS),
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.constantFrom(1e308, -1, 2 ** 53, 0.1, Number.MAX_VALUE),
  fc.boolean(),
  fc.constant(null),
);
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.constantFrom(...KEYS), tie('value')), { maxLength: 6 }).map((entries) => {
      const text = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? 'null'}`);
      return JSON.parse(`{${text.join(',')}}`);
    }),
  ),
}));
/** Text near JSON: whole, cut, doubled, or with a byte changed. */
const nearJson = fc
  .tuple(json, fc.nat(), fc.constantFrom('whole', 'cut', 'twice', 'bent', 'deep'))
  .map(([value, n, how]) => {
    const text = JSON.stringify(value) ?? 'null';
    if (how === 'cut') return text.slice(0, n % (text.length + 1));
    if (how === 'twice') return text + text;
    if (how === 'deep') return `${'['.repeat(n % 40_000)}${text}`;
    const at = n % text.length;
    return how === 'bent' ? text.slice(0, at) + String.fromCharCode(n % 256) + text.slice(at + 1) : text;
  });
const bytes = fc.oneof(
  nearJson.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw)),
);

test('section 8 no body makes a 5xx', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('/desktop/connect', '/desktop/disconnect', '/desktop/command', '/sync/confirm'),
      bytes,
      async (path, body) => {
        const began = performance.now();
        const { status } = await t.request(path, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json' },
        });
        expect(performance.now() - began).toBeLessThan(1_000);
        expect([200, 400, 403, 409, 413, 422]).toContain(status);
      },
    ),
    { numRuns: RUNS },
  );
});

test('section 8 no query makes a 5xx', { timeout: 60_000 }, async () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.constantFrom('0', '1', '500', '%', '%00', 'default', '2026-01-01'),
  );
  const query = fc.dictionary(
    fc.constantFrom('client_id', 'after', 'epoch', 'limit', 'child', 'from', 'to', '__proto__'),
    value,
  );
  const paths = [
    '/desktop/status',
    '/desktop/events/poll',
    '/desktop/queue/sessions',
    '/desktop/queue/notifications',
    '/desktop/usage',
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), query, fc.boolean(), async (path, keys, encoded) => {
      const text = Object.entries(keys).map(
        ([k, v]) => `${k}=${encoded ? encodeURIComponent(v) : v.replace(/[^!-"$-~]/g, '')}`,
      );
      const { status } = await t.request(`${path}?${text.join('&')}`);
      expect([200, 409, 422]).toContain(status);
    }),
    { numRuns: RUNS },
  );
});

test('W4 no frame makes more than an error, a result or a close with a code of the contract', {
  timeout: 60_000,
}, async () => {
  const frames = fc.array(fc.oneof(nearJson, fc.uint8Array({ maxLength: 50 })), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(frames, fc.boolean(), async (list, reliable) => {
      const socket = t.socket({
        token: CONTROL,
        protocols: reliable ? ['playwarden.v1'] : [],
        path: '/?client_id=fuzz',
      });
      if (reliable) socket.hello({ client_id: 'fuzz' });
      await socket.frame('welcome');
      for (const frame of list) socket.send(frame);
      socket.send({ type: 'ping' });
      const ended = await Promise.race([socket.closed, socket.frame('pong').then(() => 0)]);
      expect([0, 4500, 4504]).toContain(ended);
      socket.ws.terminate();
      await socket.closed;
    }),
    { numRuns: Math.ceil(RUNS / 4) },
  );
});
