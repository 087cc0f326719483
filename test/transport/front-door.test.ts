/** The front door as a pure function: who is let in, in which order refusals come. */
import { describe, expect, test } from 'vitest';
import { type Admission, admit } from '../../src/transport/front-door.ts';
import type { RequestHead } from '../../src/transport/http-message.ts';
import { WrongTokens } from '../../src/transport/wrong-tokens.ts';

const VIEW = 'view-secret';
const CONTROL = 'control-secret';
const policy = {
  port: 8001,
  requireToken: true,
  viewToken: VIEW,
  controlToken: CONTROL,
  allowedOrigins: ['https://parent.example'],
};

type HeaderList = readonly (readonly [string, string])[];

function head(method: string, path: string, headers: HeaderList): RequestHead {
  const map = new Map<string, string[]>();
  for (const [name, value] of headers) map.set(name, [...(map.get(name) ?? []), value]);
  return { method, path, query: '', headers: map };
}

function enter({
  method = 'GET',
  path = '/desktop/status',
  purpose = 'http' as 'http' | 'upgrade',
  ...more
}: {
  method?: string;
  path?: string;
  purpose?: 'http' | 'upgrade';
  host?: string;
  headers?: HeaderList;
  policy?: typeof policy;
  wrong?: WrongTokens;
  now?: number;
} = {}): Admission {
  const headers: HeaderList = [['host', more.host ?? 'localhost:8001'], ...(more.headers ?? [])];
  const wrong = more.wrong ?? new WrongTokens(10);
  return admit(head(method, path, headers), purpose, more.policy ?? policy, wrong, more.now ?? 0);
}

function outcome(admission: Admission): string {
  if (admission.kind === 'enter') return admission.role ?? 'public';
  return admission.kind === 'refuse' ? admission.problem.slug : admission.kind;
}

const bearer = (token: string): readonly [string, string] => ['authorization', `Bearer ${token}`];

describe('S2 Host', () => {
  test.each(['localhost:8001', '127.0.0.1:8001', '[::1]:8001'])('%s is served', (host) => {
    expect(outcome(enter({ host, headers: [bearer(VIEW)] }))).toBe('view');
  });

  test.each([
    'localhost',
    'localhost:8002',
    'localhost:80',
    'localhost.:8001',
    'localhost:08001',
    'localhost:8001 ',
    'evil.example:8001',
    'evil.example',
    '127.0.0.1',
    '127.0.0.2:8001',
    '127.1:8001',
    '2130706433:8001',
    '0x7f000001:8001',
    '0.0.0.0:8001',
    '[::]:8001',
    '::1:8001',
    '[::ffff:127.0.0.1]:8001',
    '[0:0:0:0:0:0:0:1]:8001',
    'localhost:8001.evil.example',
    'user@localhost:8001',
    'localhost:8001, evil',
    '',
    '127.0.0.1.nip.io:8001',
  ])('%j is refused before anything else', (host) => {
    const headers = [bearer(VIEW), ['origin', 'http://localhost:8001']] as const;
    expect(outcome(enter({ host, headers }))).toBe('host-refused');
    expect(outcome(enter({ host, path: '/health' }))).toBe('host-refused');
    expect(outcome(enter({ host, method: 'OPTIONS', headers }))).toBe('host-refused');
  });

  test('a missing and a doubled Host are refused', () => {
    const refuse = (headers: HeaderList) =>
      outcome(admit(head('GET', '/health', headers), 'http', policy, new WrongTokens(10), 0));
    expect(refuse([])).toBe('host-refused');
    expect(
      refuse([
        ['host', 'localhost:8001'],
        ['host', 'localhost:8001'],
      ]),
    ).toBe('host-refused');
  });

  test('on port 80 the port may be left out, as clients do', () => {
    expect(outcome(enter({ host: 'localhost', path: '/health', policy: { ...policy, port: 80 } }))).toBe(
      'public',
    );
  });
});

describe('S3 Origin', () => {
  test.each([
    'http://localhost:8001',
    'http://127.0.0.1:8001',
    'http://[::1]:8001',
    'https://parent.example',
  ])('%s is let in and told so in CORS headers', (origin) => {
    const admission = enter({ headers: [['origin', origin], bearer(VIEW)] });
    expect(outcome(admission)).toBe('view');
    expect(admission.cors).toEqual({ 'Access-Control-Allow-Origin': origin, Vary: 'Origin' });
  });

  test.each([
    'null',
    '',
    'https://evil.example',
    'http://localhost',
    'https://localhost:8001',
    'http://localhost:8002',
    'http://parent.example',
    'https://parent.example/',
    'https://parent.example.evil',
    'HTTPS://PARENT.EXAMPLE',
    'http://localhost:8001.evil',
    'file://',
    'chrome-extension://abc',
    'http://localhost:8001/x',
  ])('%j is refused, with a token and for OPTIONS too, and gets no CORS header', (origin) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const admission = enter({ method, headers: [['origin', origin], bearer(CONTROL)] });
      expect(outcome(admission)).toBe('origin-refused');
      expect(admission.cors).toEqual({});
    }
  });

  test('two Origin headers are refused even when each is allowed', () => {
    const origin = ['origin', 'https://parent.example'] as const;
    expect(outcome(enter({ headers: [origin, origin, bearer(VIEW)] }))).toBe('origin-refused');
  });

  test('a preflight of an allowed origin needs no token', () => {
    const admission = enter({ method: 'OPTIONS', headers: [['origin', 'https://parent.example']] });
    expect(outcome(admission)).toBe('preflight');
    expect(admission.cors['Access-Control-Allow-Headers']).toContain('Authorization');
  });

  test('OPTIONS without an Origin is no preflight: it needs a token', () => {
    expect(outcome(enter({ method: 'OPTIONS' }))).toBe('unauthorized');
  });
});

describe('S4 tokens', () => {
  test.each([
    ['none', []],
    ['another scheme', [['authorization', `Basic ${VIEW}`]]],
    ['an empty bearer', [['authorization', 'Bearer ']]],
    ['null', [bearer('null')]],
    ['a shorter one', [bearer(VIEW.slice(1))]],
    ['a longer one', [bearer(`${VIEW}x`)]],
    ['two headers', [bearer(VIEW), bearer(VIEW)]],
    ['an encoded one', [bearer(encodeURIComponent(`${VIEW} `))]],
  ] as [string, HeaderList][])('%s is 401 with one constant problem', (_name, headers) => {
    const admission = enter({ headers });
    expect(admission).toEqual(enter({ headers: [], path: '/unknown' }));
    expect(outcome(admission)).toBe('unauthorized');
  });

  test('each token has its role', () => {
    expect(outcome(enter({ headers: [bearer(VIEW)] }))).toBe('view');
    expect(outcome(enter({ headers: [['authorization', `bearer ${CONTROL}`]] }))).toBe('control');
  });

  test('GET /health alone needs none, and not as an upgrade', () => {
    expect(outcome(enter({ path: '/health' }))).toBe('public');
    expect(outcome(enter({ path: '/health', purpose: 'upgrade' }))).toBe('unauthorized');
    for (const method of ['HEAD', 'POST', 'OPTIONS']) {
      expect(outcome(enter({ path: '/health', method }))).toBe('unauthorized');
    }
  });

  test('a subprotocol bearer.<token> counts on an upgrade only', () => {
    const headers: HeaderList = [['sec-websocket-protocol', `playwarden.v1, bearer.${VIEW}`]];
    expect(outcome(enter({ headers, purpose: 'upgrade' }))).toBe('view');
    expect(outcome(enter({ headers, purpose: 'http' }))).toBe('unauthorized');
    const wrong: HeaderList = [['sec-websocket-protocol', 'playwarden.v1, bearer.nope']];
    expect(outcome(enter({ headers: wrong, purpose: 'upgrade' }))).toBe('unauthorized');
  });

  test('an empty configured token matches nothing', () => {
    const empty = { ...policy, viewToken: '', controlToken: '' };
    for (const headers of [[], [bearer('')], [['authorization', 'Bearer']]] as HeaderList[]) {
      expect(outcome(enter({ headers, policy: empty }))).toBe('unauthorized');
    }
  });

  test('ten wrong ones in a minute: 429 for wrong ones for a minute, never for a right or a missing one', () => {
    const wrong = new WrongTokens(10);
    const attempt = (now: number, headers: HeaderList = [bearer('guess')]) =>
      outcome(enter({ wrong, now, headers }));
    for (let i = 0; i < 10; i += 1) expect(attempt(i * 1_000)).toBe('unauthorized');
    expect(attempt(10_000)).toBe('too-many-attempts');
    expect(attempt(10_000, [])).toBe('unauthorized');
    expect(attempt(10_000, [bearer(VIEW)])).toBe('view');
    expect(attempt(68_999)).toBe('too-many-attempts');
    expect(attempt(69_000)).toBe('unauthorized');
  });

  test('missing tokens are not counted, and nine wrong ones a minute never lock', () => {
    const wrong = new WrongTokens(10);
    for (let i = 0; i < 100; i += 1) expect(outcome(enter({ wrong, now: i }))).toBe('unauthorized');
    for (let i = 0; i < 100; i += 1) {
      expect(outcome(enter({ wrong, now: i * 6_700, headers: [bearer('guess')] }))).toBe('unauthorized');
    }
  });

  test('S5 require_token false lets everybody through Host and Origin in as control', () => {
    const open = { ...policy, requireToken: false };
    expect(outcome(enter({ policy: open }))).toBe('control');
    expect(outcome(enter({ policy: open, headers: [bearer('wrong')] }))).toBe('control');
    expect(outcome(enter({ policy: open, host: 'evil:8001' }))).toBe('host-refused');
    expect(outcome(enter({ policy: open, headers: [['origin', 'null']] }))).toBe('origin-refused');
  });
});
