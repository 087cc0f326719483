/** The configuration: what holds, what does not, and that every mistake is told at its path. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG, parseConfig } from '../../src/protocol/config.ts';

/** The paths of all problems of a document, sorted; [] when it holds. */
function paths(document: unknown): string[] {
  const result = parseConfig(document);
  return result.ok ? [] : result.errors.map((e) => e.path).sort();
}

function config(document: unknown) {
  const result = parseConfig(document);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

const child = (profile: object) => ({ profiles: { kim: profile } });

describe('defaults', () => {
  test('C11: an empty document is the whole default configuration', () => {
    expect(config({})).toEqual(DEFAULT_CONFIG);
  });

  test('the printed default configuration is accepted and changes nothing', () => {
    expect(config(JSON.parse(JSON.stringify(DEFAULT_CONFIG)))).toEqual(DEFAULT_CONFIG);
  });

  test('C11: games and profiles replace the default list, a key missing inside a profile takes its default', () => {
    const given = config({
      games: [{ id: 'chess', match: [{ name: 'chess' }] }],
      ...child({ grace_seconds: 5 }),
    });
    expect(given.games).toEqual([{ id: 'chess', name: 'chess', match: [{ name: 'chess' }], ignore: [] }]);
    expect(given.profiles).toEqual({
      kim: { ...DEFAULT_CONFIG.profiles.default_child, name: 'kim', grace_seconds: 5 },
    });
  });
});

describe('C11: time_limits is short for daily_limit_minutes', () => {
  test('it sets the limit of a profile that is there', () => {
    const given = config({ ...child({ grace_seconds: 5 }), time_limits: { kim: 45 } });
    expect(given.profiles.kim).toMatchObject({ daily_limit_minutes: 45, grace_seconds: 5 });
  });

  test('a name without a profile makes one, which takes every account when it is the only child', () => {
    expect(config({ time_limits: { kim: 45 } }).profiles).toEqual({
      kim: { ...DEFAULT_CONFIG.profiles.default_child, name: 'kim', daily_limit_minutes: 45 },
    });
  });

  test('of several made children each takes the account of its name', () => {
    const { profiles } = config({ time_limits: { kim: 45, lou: null } });
    expect(profiles.kim?.os_users).toEqual(['kim']);
    expect(profiles.lou).toMatchObject({ os_users: ['lou'], daily_limit_minutes: null });
  });
});

describe('C7: what a profile may say', () => {
  test.each([
    ['a fraction of a minute', { daily_limit_minutes: 0.5, grace_seconds: 0.25 }],
    ['no limit', { daily_limit_minutes: null }],
    ['a limit per weekday', { daily_limit_minutes: { default: 120, sat: 180, sun: null } }],
    ['windows that cross midnight', { allowed: { default: ['15:00-19:30'], fri: ['15:00-01:00'] } }],
    ['windows up to the end of the day', { allowed: { sat: ['09:00-12:00', '14:00-24:00'], sun: [] } }],
    ['a budget of its own for a game', { games: { roblox: { daily_limit_minutes: 30 } } }],
    ['a warning that cannot fire under the limit', { daily_limit_minutes: 10, warn_minutes: [15, 5] }],
  ])('%s', (_title, profile) => {
    expect(paths(child(profile))).toEqual([]);
  });
});

describe('C9: impossible values are told at their path', () => {
  test.each<[string, object, string[]]>([
    ['an unknown key', { limits: {} }, ['limits']],
    [
      'an unknown key deep down',
      { desktop_client: { websocket: { tls: true } } },
      ['desktop_client.websocket.tls'],
    ],
    ['a wrong type', { sessions: { rejoin_seconds: '10' } }, ['sessions.rejoin_seconds']],
    ['a negative limit', child({ daily_limit_minutes: -1 }), ['profiles.kim.daily_limit_minutes']],
    ['a limit that is a word', child({ daily_limit_minutes: 'two' }), ['profiles.kim.daily_limit_minutes']],
    [
      'an unknown weekday',
      child({ daily_limit_minutes: { someday: 1 } }),
      ['profiles.kim.daily_limit_minutes.someday'],
    ],
    ['a time that is none', child({ allowed: { mon: ['25:00-26:00'] } }), ['profiles.kim.allowed.mon.0']],
    ['a day that starts at 25:00', { day: { starts_at: '25:00' } }, ['day.starts_at']],
    ['a window of no length', child({ allowed: { mon: ['10:00-10:00'] } }), ['profiles.kim.allowed.mon.0']],
    [
      'windows that overlap',
      child({ allowed: { mon: ['10:00-12:00', '11:00-13:00'] } }),
      ['profiles.kim.allowed.mon.1'],
    ],
    ['a warning at 0', child({ warn_minutes: [0] }), ['profiles.kim.warn_minutes.0']],
    ['a warning below 0', child({ warn_minutes: [-5] }), ['profiles.kim.warn_minutes.0']],
    ['a doubled warning', child({ warn_minutes: [5, 1, 5] }), ['profiles.kim.warn_minutes.2']],
    ['a warning over a day', child({ warn_minutes: [1441] }), ['profiles.kim.warn_minutes.0']],
    ['an unknown zone', { day: { time_zone: 'Mars/Base' } }, ['day.time_zone']],
    ['a zone of which no calendar is made', { day: { time_zone: 'PST' } }, ['day.time_zone']],
    ['a game that is not configured', child({ games: { chess: {} } }), ['profiles.kim.games.chess']],
    ['a doubled game', { games: [1, 2].map(() => ({ id: 'a', match: [{ name: 'a' }] })) }, ['games.1.id']],
    ['a match entry without a key', { games: [{ id: 'a', match: [{}] }] }, ['games.0.match.0']],
    [
      'a port out of range',
      { desktop_client: { websocket: { port: 70_000 } } },
      ['desktop_client.websocket.port'],
    ],
    [
      'a private key',
      { security: { parent_keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43), d: 'secret' }] } },
      ['security.parent_keys.0.d'],
    ],
    [
      'a profile that no object can have',
      JSON.parse('{"profiles":{"__proto__":{}}}'),
      ['profiles.__proto__'],
    ],
    ['a limit for one', { time_limits: { constructor: 5 } }, ['time_limits.constructor']],
    ['a game of that kind', { games: [{ id: 'toString', match: [{ name: 'a' }] }] }, ['games.0.id']],
    ['a name with a space', { profiles: { 'a b': {} } }, ['profiles.a b']],
    ['no object at all', [], ['$']],
  ])('%s', (_title, document, expected) => {
    expect(paths(document)).toEqual(expected);
  });

  test('all are told at once, those of one key and those across keys', () => {
    const document = {
      speed: 1,
      ...child({
        daily_limit_minutes: -1,
        warn_minutes: [5, 5, 0],
        allowed: { mon: ['10:00-10:00', 'noon'] },
      }),
    };
    expect(paths(document)).toEqual([
      'profiles.kim.allowed.mon.0',
      'profiles.kim.allowed.mon.1',
      'profiles.kim.daily_limit_minutes',
      'profiles.kim.warn_minutes.1',
      'profiles.kim.warn_minutes.2',
      'speed',
    ]);
  });

  test('each mistake is told once: a time that is none has no length and overlaps nothing', () => {
    expect(paths(child({ allowed: { mon: ['25:00-01:00', '10:99-11:00', '09:00-12:00'] } }))).toEqual([
      'profiles.kim.allowed.mon.0',
      'profiles.kim.allowed.mon.1',
    ]);
  });

  test.each(['games/x', 'C:\\Games\\x.exe', '/x', 'games/x*'])(
    'C8: a base name has no folder, so %s never matches, and what does is told',
    (name) => {
      const games = [{ id: 'a', match: [{ name }], ignore: [{ name }] }];
      const message = expect.stringMatching(/without its folder: a "path" like/);
      const errors = ['match', 'ignore'].map((key) => ({ path: `games.0.${key}.0.name`, message }));
      expect(parseConfig({ games })).toEqual({ ok: false, errors });
    },
  );

  test('a name that cannot be one is told with what it may be', () => {
    const result = parseConfig({ profiles: { 'a b': {} } });
    expect(!result.ok && result.errors[0]?.message).toMatch(/1 to 64/);
  });

  test('section 5: more games or children than a frame can list are told, as many as it can are taken', () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => `n${i}`);
    const document = (n: number) => ({
      games: many(n).map((id) => ({ id, match: [{ name: id }] })),
      profiles: Object.fromEntries(many(n).map((name) => [name, { os_users: [name] }])),
      time_limits: Object.fromEntries(many(n).map((name) => [name, 60])),
    });
    expect(paths(document(256))).toEqual([]);
    expect(paths(document(257))).toEqual(['games', 'profiles', 'time_limits']);
  });

  test('a log that keeps a handful of events is possible', () => {
    expect(paths({ retention: { max_events: 1 } })).toEqual([]);
  });

  test('C11: a child made by time_limits must not be the account of another', () => {
    const profiles = { lou: { os_users: ['Kim', '*'] } };
    expect(paths({ profiles, time_limits: { kim: 5 } })).toEqual(['time_limits.kim']);
    expect(paths({ profiles, time_limits: { lou: 5 } })).toEqual([]);
  });

  test('C11: a child that time_limits makes takes every account that nobody else names', () => {
    const users = (doc: object) => {
      const result = parseConfig(doc);
      if (!result.ok) throw new Error(JSON.stringify(result.errors));
      return Object.fromEntries(Object.entries(result.config.profiles).map(([id, p]) => [id, p.os_users]));
    };
    const kim = { os_users: ['kim'] };
    expect(users({ profiles: { kim }, time_limits: { default_child: 60 } })).toEqual({
      kim: ['kim'],
      default_child: ['*'],
    });
    expect(users({ profiles: { kim }, time_limits: { lou: 60, max: 60 } })).toEqual({
      kim: ['kim'],
      lou: ['lou'],
      max: ['max'],
    });
    expect(users({ profiles: { kim: {} }, time_limits: { lou: 60 } })).toEqual({ kim: ['*'], lou: ['lou'] });
  });

  test('C7: two profiles for every other account are an error, and so is an account with two children', () => {
    expect(paths({ profiles: { kim: {}, lou: {} } })).toEqual(['profiles.lou.os_users.0']);
    expect(paths({ profiles: { kim: { os_users: ['k'] }, lou: { os_users: ['K'] } } })).toEqual([
      'profiles.lou.os_users.0',
    ]);
  });
});

describe('C10: the host is a loopback name', () => {
  test.each(['localhost', '127.0.0.1', '::1'])('%s is taken', (host) => {
    expect(paths({ desktop_client: { websocket: { host } } })).toEqual([]);
  });

  test.each(['0.0.0.0', '127.0.0.2', 'LOCALHOST', 'localhost.', '192.168.1.2', '::', '[::1]', ''])(
    '%s is refused',
    (host) => {
      expect(paths({ desktop_client: { websocket: { host } } })).toEqual(['desktop_client.websocket.host']);
    },
  );
});
