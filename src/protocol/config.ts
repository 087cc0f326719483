/**
 * The configuration as a user writes it: its schema, its defaults, and the one function that turns a document
 * into a `Config` or into every problem it has. Rules that span several keys stand in config-rules.ts.
 */
import * as z from 'zod/mini';
import { crossChecks } from './config-rules.ts';
import type { FieldError } from './problems.ts';
import { fieldErrors } from './schema-errors.ts';

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Minutes may be fractions; a week has 10,080 of them and no limit needs more. */
const limitMinutes = z.number().check(z.minimum(0), z.maximum(10_080));

/** One value for each day: `default` for the days that are not named. */
function perWeekday<T extends z.core.$ZodType>(value: T) {
  const one = z.optional(value);
  return z.strictObject({
    default: one,
    mon: one,
    tue: one,
    wed: one,
    thu: one,
    fri: one,
    sat: one,
    sun: one,
  });
}

const dailyLimit = z.union([limitMinutes, z.null(), perWeekday(z.nullable(limitMinutes))], {
  error: 'must be a number of minutes, null for no limit, or one of these per weekday',
});

const TIME = '([01]\\d|2[0-3]):[0-5]\\d';
const timeOfDay = z.string().check(z.regex(new RegExp(`^${TIME}$`), 'must be a time from 00:00 to 23:59'));
const window = z
  .string()
  .check(
    z.regex(new RegExp(`^${TIME}-(${TIME}|24:00)$`), 'must be two times like 15:00-19:30 (24:00 may end it)'),
  );

const pattern = z.string().check(z.minLength(1), z.maxLength(1_024));
/** What no base name has: such an entry would never match. A star is legal in a file's name, and means itself (contract C8). */
const baseName = pattern.check(
  z.regex(/^[^/\\]*$/, 'must be a file name without its folder: a "path" like "*/folder/x" has both'),
);
const matchEntry = z
  .strictObject({ name: z.optional(baseName), path: z.optional(pattern), command: z.optional(pattern) })
  .check(z.refine((m) => Object.keys(m).length > 0, 'must have at least one of name, path, command'));

const id = z.string().check(z.regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -'));

const game = z.strictObject({
  id,
  name: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
  match: z.array(matchEntry).check(z.minLength(1)),
  ignore: z.optional(z.array(matchEntry)),
});

const profile = z.strictObject({
  name: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
  os_users: z.optional(z.array(z.string().check(z.minLength(1), z.maxLength(256))).check(z.minLength(1))),
  daily_limit_minutes: z.optional(dailyLimit),
  weekly_limit_minutes: z.optional(z.nullable(limitMinutes)),
  allowed: z.optional(z.nullable(perWeekday(z.array(window)))),
  warn_minutes: z.optional(
    z.array(z.number().check(z.positive('must be more than 0'), z.maximum(1_440))).check(z.maxLength(32)),
  ),
  grace_seconds: z.optional(z.number().check(z.minimum(0), z.maximum(3_600))),
  auto_close: z.optional(z.boolean()),
  games: z.optional(z.record(id, z.strictObject({ daily_limit_minutes: z.optional(dailyLimit) }))),
});

/** So many have room where all of them are listed: 64 KiB of a frame, each with its limit and its minutes (contract section 5). */
const MOST_ENTRIES = 256;
const notTooMany = z.refine<object>(
  (all) => Object.keys(all).length <= MOST_ENTRIES,
  `must have ${MOST_ENTRIES} entries at most`,
);

/** An Ed25519 public key as JWK (RFC 8037). */
export const parentKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url')),
  kid: z.optional(z.string()),
  d: z.optional(z.undefined('is the private half: keep it on the phone and give the public key only')),
});

const seconds = (min: number, max: number) => z.optional(z.number().check(z.minimum(min), z.maximum(max)));

/** The document a user writes. Every key is optional; unknown keys are errors. */
export const configDocument = z.strictObject({
  desktop_client: z.optional(
    z.strictObject({
      websocket: z.optional(
        z.strictObject({
          enabled: z.optional(z.boolean()),
          host: z.optional(z.enum(['localhost', '127.0.0.1', '::1'])),
          port: z.optional(z.int().check(z.minimum(0), z.maximum(65_535))),
        }),
      ),
      http_polling: z.optional(
        z.strictObject({ enabled: z.optional(z.boolean()), interval: seconds(0.1, 3_600) }),
      ),
    }),
  ),
  games: z.optional(z.array(game).check(notTooMany)),
  profiles: z.optional(z.record(id, profile).check(notTooMany)),
  time_limits: z.optional(z.record(id, dailyLimit).check(notTooMany)),
  day: z.optional(
    z.strictObject({
      starts_at: z.optional(timeOfDay),
      time_zone: z.optional(z.string().check(z.minLength(1), z.maxLength(100))),
    }),
  ),
  sessions: z.optional(z.strictObject({ rejoin_seconds: seconds(0, 3_600) })),
  enforcement: z.optional(z.strictObject({ close_wait_seconds: seconds(0, 300) })),
  detection: z.optional(
    z.strictObject({
      source: z.optional(z.enum(['auto', 'proc-events', 'procfs', 'toolhelp', 'ps-list'])),
      poll_interval_ms: z.optional(z.number().check(z.minimum(10), z.maximum(60_000))),
      reconcile_seconds: seconds(0.1, 3_600),
    }),
  ),
  security: z.optional(
    z.strictObject({
      require_token: z.optional(z.boolean()),
      allowed_origins: z.optional(
        z.array(
          z
            .string()
            .check(
              z.regex(/^[a-z][a-z0-9+.-]*:\/\/[^/\s?#]+$/i, 'must be scheme://host[:port] without a path'),
            ),
        ),
      ),
      parent_keys: z.optional(z.array(parentKey)),
    }),
  ),
  retention: z.optional(
    z.strictObject({
      max_events: z.optional(z.int().check(z.minimum(1), z.maximum(100_000_000))),
      max_days: z.optional(z.number().check(z.positive(), z.maximum(3_650))),
    }),
  ),
});

export type ConfigDocument = z.infer<typeof configDocument>;

/** A limit for each day: one number of minutes, none (null), or by weekday. */
export type DailyLimit = z.infer<typeof dailyLimit>;
export type AllowedWindows = { [D in Weekday | 'default']?: string[] | undefined } | null;
export type MatchEntry = z.infer<typeof matchEntry>;
export type ParentKey = z.infer<typeof parentKey>;
export type SourceName = 'proc-events' | 'procfs' | 'toolhelp' | 'ps-list';

export interface GameConfig {
  readonly id: string;
  readonly name: string;
  readonly match: readonly MatchEntry[];
  readonly ignore: readonly MatchEntry[];
}

export interface ProfileConfig {
  readonly name: string;
  readonly os_users: readonly string[];
  readonly daily_limit_minutes: DailyLimit;
  readonly weekly_limit_minutes: number | null;
  readonly allowed: AllowedWindows;
  readonly warn_minutes: readonly number[];
  readonly grace_seconds: number;
  readonly auto_close: boolean;
  readonly games: Readonly<Record<string, { readonly daily_limit_minutes?: DailyLimit | undefined }>>;
}

/** The whole configuration with every default filled in: plain JSON, safe to post to a thread. */
export interface Config {
  readonly desktop_client: {
    readonly websocket: { readonly enabled: boolean; readonly host: string; readonly port: number };
    readonly http_polling: { readonly enabled: boolean; readonly interval: number };
  };
  readonly games: readonly GameConfig[];
  readonly profiles: Readonly<Record<string, ProfileConfig>>;
  readonly day: { readonly starts_at: string; readonly time_zone: string };
  readonly sessions: { readonly rejoin_seconds: number };
  readonly enforcement: { readonly close_wait_seconds: number };
  readonly detection: {
    readonly source: 'auto' | SourceName;
    readonly poll_interval_ms: number;
    readonly reconcile_seconds: number;
  };
  readonly security: {
    readonly require_token: boolean;
    readonly allowed_origins: readonly string[];
    readonly parent_keys: readonly ParentKey[];
  };
  readonly retention: { readonly max_events: number; readonly max_days: number };
}

const DEFAULT_PROFILE: ProfileConfig = {
  name: 'Default Child',
  os_users: ['*'],
  daily_limit_minutes: 120,
  weekly_limit_minutes: null,
  allowed: null,
  warn_minutes: [15, 5, 1],
  grace_seconds: 30,
  auto_close: true,
  games: {},
};

/** What is in force when nothing is configured (contract section 2). */
export const DEFAULT_CONFIG: Config = {
  desktop_client: {
    websocket: { enabled: true, host: 'localhost', port: 8001 },
    http_polling: { enabled: true, interval: 2 },
  },
  games: [
    {
      id: 'roblox',
      name: 'Roblox',
      match: [
        { name: 'RobloxPlayerBeta.exe' },
        { path: '*/ROBLOXCORPORATION.ROBLOX_*/Windows10Universal.exe' },
        { name: 'RobloxPlayer' },
        { name: 'sober' },
      ],
      ignore: [
        { name: 'RobloxPlayerLauncher.exe' },
        { name: 'RobloxPlayerInstaller.exe' },
        { name: 'RobloxCrashHandler.exe' },
        { name: 'RobloxStudioBeta.exe' },
      ],
    },
  ],
  profiles: { default_child: DEFAULT_PROFILE },
  day: { starts_at: '00:00', time_zone: 'system' },
  sessions: { rejoin_seconds: 10 },
  enforcement: { close_wait_seconds: 5 },
  detection: { source: 'auto', poll_interval_ms: 50, reconcile_seconds: 5 },
  security: { require_token: true, allowed_origins: [], parent_keys: [] },
  retention: { max_events: 100_000, max_days: 30 },
};

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Checks a parsed document and fills in the defaults; all problems are told at once (contract C9). */
export function parseConfig(document: unknown): ConfigResult {
  const parsed = configDocument.safeParse(document);
  const known = DEFAULT_CONFIG.games.map((g) => g.id);
  const errors = [...fieldErrors(parsed.error?.issues ?? []), ...crossChecks(document, known)];
  return parsed.success && errors.length === 0
    ? { ok: true, config: withDefaults(parsed.data) }
    : { ok: false, errors };
}

function withDefaults(doc: ConfigDocument): Config {
  const d = DEFAULT_CONFIG;
  const games = doc.games?.map((g) => ({ ...g, name: g.name ?? g.id, ignore: g.ignore ?? [] }));
  return {
    desktop_client: {
      websocket: merge(d.desktop_client.websocket, doc.desktop_client?.websocket),
      http_polling: merge(d.desktop_client.http_polling, doc.desktop_client?.http_polling),
    },
    games: games ?? d.games,
    profiles: profilesOf(doc),
    day: merge(d.day, doc.day),
    sessions: merge(d.sessions, doc.sessions),
    enforcement: merge(d.enforcement, doc.enforcement),
    detection: merge(d.detection, doc.detection),
    security: merge(d.security, doc.security),
    retention: merge(d.retention, doc.retention),
  };
}

/**
 * `profiles` and `time_limits` together (contract C11). A child that only `time_limits` names takes every account that
 * no other profile names, as a profile does by default; if there are two such, or a profile that says so itself, then
 * the account that bears its name.
 */
function profilesOf(doc: ConfigDocument): Record<string, ProfileConfig> {
  const limits = Object.entries(doc.time_limits ?? {});
  const written = doc.profiles ?? (limits.length > 0 ? {} : { default_child: {} });
  const names = new Set([...Object.keys(written), ...limits.map(([name]) => name)]);
  const made = [...names].filter((name) => written[name] === undefined);
  const taken = Object.values(written).some((profile) => profile.os_users?.includes('*') ?? true);
  const profiles: Record<string, ProfileConfig> = {};
  for (const name of names) {
    const given = written[name];
    const everyone = given !== undefined || (made.length === 1 && !taken);
    const own = {
      name: name === 'default_child' ? DEFAULT_PROFILE.name : name,
      os_users: everyone ? ['*'] : [name],
    };
    profiles[name] = merge({ ...DEFAULT_PROFILE, ...own }, given);
  }
  for (const [name, limit] of limits) {
    const given = profiles[name];
    if (given) profiles[name] = { ...given, daily_limit_minutes: limit };
  }
  return profiles;
}

/** `over` on top of `base`, an explicit undefined counting as absent. */
function merge<T extends object>(base: T, over: { [K in keyof T]?: T[K] | undefined } | undefined): T {
  const given = Object.entries(over ?? {}).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(given) };
}
