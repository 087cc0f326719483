/**
 * HTTP as no library would send it. Each case says what comes back; `by` names who decides: the server, or
 * uWebSockets.js before a handler sees anything. After each of them the server must still answer.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type TestServer, testServer, VIEW } from '../helpers/transport-server.ts';

let t: TestServer;
beforeAll(async () => {
  t = await testServer();
});
afterAll(() => t.stop());
afterEach(async () => {
  expect(t.errors).toEqual([]);
  expect((await t.request('/health')).status).toBe(200);
});

const H = 'Host: localhost:PORT\r\n';
const A = `Authorization: Bearer ${VIEW}\r\n`;
const J = 'Content-Type: application/json\r\n';
const confirm = '{"session_id":"s","success":true}';
const post = (headers: string, body: string) =>
  `POST /sync/confirm HTTP/1.1\r\n${H}${A}${J}${headers}\r\n${body}`;
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\n${H}${headers}\r\n`;
const many = (n: number) => Array.from({ length: n }, (_, i) => `X-${i}: 1\r\n`).join('');

/** Name, bytes, the statuses of all answers (`close` alone: none came), who decides. */
const CASES: [string, string, (number | 'close')[], 'server' | 'uWebSockets.js'][] = [
  ['a plain request', get('/health'), [200], 'server'],
  ['two requests in one packet', get('/health') + get('/health'), [200, 200], 'server'],
  [
    'a request before the one that waits is answered',
    get('/desktop/events/poll?wait=1', A) + get('/health'),
    ['close'],
    'uWebSockets.js',
  ],
  ['a request of single lines ended by LF', get('/health').replaceAll('\r\n', '\n'), [505], 'uWebSockets.js'],
  ['a leading empty line', `\r\n${get('/health')}`, [505], 'uWebSockets.js'],
  ['HTTP/1.0', get('/health').replace('1.1', '1.0'), [505], 'uWebSockets.js'],
  ['HTTP/2.0', get('/health').replace('1.1', '2.0'), [505], 'uWebSockets.js'],
  ['HTTP/0.9', 'GET /health\r\n\r\n', [505], 'uWebSockets.js'],
  ['an absolute form', get(`http://localhost:PORT/health`), [505], 'uWebSockets.js'],
  ['OPTIONS *', get('*').replace('GET', 'OPTIONS'), [505], 'uWebSockets.js'],
  ['CONNECT', get('localhost:PORT').replace('GET', 'CONNECT'), [505], 'uWebSockets.js'],
  ['TRACE', get('/health', A).replace('GET', 'TRACE'), [405], 'server'],
  ['a method that nobody knows', get('/health', A).replace('GET', 'BREW'), [405], 'server'],
  ['a method in small letters', get('/health', A).replace('GET', 'get'), [405], 'server'],
  ['no method', get('/health').replace('GET ', ''), [505], 'uWebSockets.js'],
  ['no Host', 'GET /health HTTP/1.1\r\n\r\n', ['close'], 'uWebSockets.js'],
  ['an empty Host', 'GET /health HTTP/1.1\r\nHost:\r\n\r\n', [403], 'server'],
  ['two Hosts', get('/health', H), [403], 'server'],
  ['Host in other letters', get('/health').replace('Host', 'hOST'), [200], 'server'],
  [
    'Host with a space before the colon',
    get('/health').replace('Host:', 'Host :'),
    ['close'],
    'uWebSockets.js',
  ],
  ['a folded header', get('/health', 'X-A: 1\r\n 2\r\n'), ['close'], 'uWebSockets.js'],
  ['a header without a colon', get('/health', 'nonsense\r\n'), ['close'], 'uWebSockets.js'],
  ['a header without a name', get('/health', ': x\r\n'), [200], 'server'],
  ['a NUL in a header', get('/health', 'X: a\0b\r\n'), ['close'], 'uWebSockets.js'],
  ['bytes beyond ASCII in a header', get('/health', 'X: \xff\xfe\r\n'), [200], 'server'],
  ['98 headers with the Host', get('/health', many(97)), [200], 'server'],
  ['99 headers', get('/health', many(98)), ['close'], 'uWebSockets.js'],
  ['a header line of 100 KB', get('/health', `X: ${'a'.repeat(100_000)}\r\n`), [200], 'server'],
  ['a header line of 1 MB', get('/health', `X: ${'a'.repeat(1_000_000)}\r\n`), [431], 'uWebSockets.js'],
  ['a path of 100 KB', get(`/${'a'.repeat(100_000)}`), [401], 'server'],
  ['dots in the path', get('/../health', A), [404], 'server'],
  ['an encoded path', get('/%68ealth', A), [404], 'server'],
  ['a doubled slash', get('//health', A), [404], 'server'],
  ['a NUL in the path', get('/health%00', A), [404], 'server'],
  ['a broken escape in the query', get('/desktop/status?client_id=%zz', A), [422], 'server'],
  [
    'a key of the prototype in the query',
    get('/desktop/status?__proto__=x&constructor=y', A),
    [200],
    'server',
  ],
  ['a key twice', get('/desktop/events/poll?limit=1&limit=0', A), [422], 'server'],
  ['a fragment', get('/health#x'), [401], 'server'],
  [
    'a body on a GET',
    get('/health', 'Content-Length: 3\r\n').concat('abc', get('/health')),
    [200, 200],
    'server',
  ],
  ['a right body', post(`Content-Length: ${confirm.length}\r\n`, confirm), [200], 'server'],
  [
    'a chunked body',
    post('Transfer-Encoding: chunked\r\n', `${confirm.length.toString(16)}\r\n${confirm}\r\n0\r\n\r\n`),
    [200],
    'server',
  ],
  [
    'a body in many chunks',
    post('Transfer-Encoding: chunked\r\n', `${[...confirm].map((c) => `1\r\n${c}\r\n`).join('')}0\r\n\r\n`),
    [200],
    'server',
  ],
  [
    'a chunk with an extension',
    post('Transfer-Encoding: chunked\r\n', `${confirm.length.toString(16)};a=b\r\n${confirm}\r\n0\r\n\r\n`),
    ['close'],
    'uWebSockets.js',
  ],
  [
    'a trailer behind the chunks',
    post(
      'Transfer-Encoding: chunked\r\n',
      `${confirm.length.toString(16)}\r\n${confirm}\r\n0\r\nX: 1\r\n\r\n`,
    ),
    [505],
    'uWebSockets.js',
  ],
  // The body is taken for a second request, which ends the connection before the first is answered.
  ['neither length nor chunks', post('', confirm), [505], 'uWebSockets.js'],
  [
    'a length and chunks',
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    [400],
    'uWebSockets.js',
  ],
  ['two lengths', post('Content-Length: 2\r\nContent-Length: 4\r\n', '{}'), [400], 'server'],
  ['a length of letters', post('Content-Length: abc\r\n', ''), [400], 'uWebSockets.js'],
  ['a negative length', post('Content-Length: -1\r\n', ''), [400], 'uWebSockets.js'],
  ['a length beyond all bounds', post(`Content-Length: ${'9'.repeat(40)}\r\n`, ''), [400], 'uWebSockets.js'],
  ['a length of ten gigabytes', post('Content-Length: 10000000000\r\n', ''), [413], 'server'],
  [
    'a broken chunk size',
    post('Transfer-Encoding: chunked\r\n', 'zz\r\nabc\r\n0\r\n\r\n'),
    [400],
    'uWebSockets.js',
  ],
  [
    'a huge chunk size',
    post('Transfer-Encoding: chunked\r\n', 'fffffffffffffffff\r\nabc'),
    [400],
    'uWebSockets.js',
  ],
  ['gzip', post(`Content-Encoding: gzip\r\nContent-Length: 2\r\n`, '{}'), [415], 'server'],
  ['two media types', post(`${J}Content-Length: 2\r\n`, '{}'), [415], 'server'],
  [
    'Expect: 100-continue',
    post(`Expect: 100-continue\r\nContent-Length: ${confirm.length}\r\n`, confirm),
    [100, 200],
    'server',
  ],
  [
    'an upgrade to something else',
    get('/health', 'Upgrade: h2c\r\nConnection: Upgrade\r\n'),
    [200],
    'server',
  ],
  [
    'an upgrade without a key',
    get('/', `${A}Upgrade: websocket\r\nConnection: Upgrade\r\n`),
    [404],
    'server',
  ],
  ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [505], 'uWebSockets.js'],
  ['noise', '\x00\x01\x02\xff\r\n\r\n', [505], 'uWebSockets.js'],
];

test.each(CASES)('%s', async (_name, bytes, expected) => {
  const received = await t.raw(Buffer.from(bytes.replaceAll('PORT', String(t.port)), 'latin1'));
  const found = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((m) => Number(m[1]));
  expect(found.length > 0 ? found : ['close']).toEqual(expected);
});
