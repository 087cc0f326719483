/**
 * What the HTTP routes answer (contract section 4), the events as they are delivered, and what commands result in.
 * The agent makes these from typed values and never parses them: the schemas are for documents, tests and types.
 * Each names every key that is sent; a client must ignore keys it does not know. Pure.
 */
import * as z from 'zod/mini';
import { closeOutcome, closeReport, commandAnswer } from './commands.ts';
import {
  agentEvent,
  commandEvent,
  eventMeta,
  gameEvent,
  isoTime,
  limitName,
  notificationEvent,
  robloxEvent,
  sessionData,
  sessionEvent,
  syncRequestEvent,
} from './events.ts';
import { gap } from './position.ts';

const count = z.int().check(z.minimum(0));
const minutes = z.number().check(z.minimum(0));
const text = z.string();

/** The wire form of a problem (RFC 9457). */
export const problemAnswer = z.object({
  type: z.string().check(z.regex(/^urn:playwarden:problem:[a-z-]+$/)),
  title: text,
  status: z.int(),
  detail: text,
  instance: text,
  errors: z.optional(z.array(z.object({ path: text, message: text }))),
  retry_after_ms: z.optional(z.number().check(z.minimum(0))),
});

const delivered = { meta: eventMeta };

/** Each event with its `meta`, by the name that documents use. */
export const DELIVERED = {
  RobloxEvent: z.extend(robloxEvent, delivered),
  GameEvent: z.extend(gameEvent, delivered),
  SessionEvent: z.extend(sessionEvent, delivered),
  Notification: z.extend(notificationEvent, delivered),
  SyncRequest: z.extend(syncRequestEvent, delivered),
  CommandEvent: z.extend(commandEvent, delivered),
  AgentEvent: z.extend(agentEvent, delivered),
} as const;

/** An event as a client has it in its hand. */
export const deliveredEvent = z.discriminatedUnion('type', [
  DELIVERED.RobloxEvent,
  DELIVERED.GameEvent,
  DELIVERED.SessionEvent,
  DELIVERED.Notification,
  DELIVERED.SyncRequest,
  DELIVERED.CommandEvent,
  DELIVERED.AgentEvent,
]);

/** What a child may do, extra time and overrides of a parent included; `window` is the open or the next one. */
export const limits = z.object({
  daily_limit_minutes: z.nullable(minutes),
  weekly_limit_minutes: z.nullable(minutes),
  extra_minutes: z.number(),
  used_minutes_week: minutes,
  games: z.record(
    z.string(),
    z.object({ used_minutes_today: minutes, daily_limit_minutes: z.nullable(minutes) }),
  ),
  window: z.nullable(text),
});

/** How a child stands: an entry of `/desktop/status`, and the result of `get_live_status`. */
export const childStatus = z.object({
  playing: z.boolean(),
  session_id: z.nullable(text),
  game: z.nullable(text),
  used_minutes_today: minutes,
  remaining_minutes: z.nullable(minutes),
  limited_by: z.nullable(limitName),
  paused_until: z.nullable(isoTime),
  limits,
});
export type ChildStatus = z.infer<typeof childStatus>;

/** One part of the agent; `last_work_ms_ago` is the age of its last real work, not of its last sign of life. */
export const actorStatus = z.object({
  state: z.enum(['starting', 'running', 'restarting', 'parked', 'stopped']),
  restarts: count,
  last_beat_ms_ago: z.nullable(z.number()),
  last_work_ms_ago: z.nullable(z.number()),
  overdue_ms: z.nullable(z.number()),
});

/** What came of the reloads since the start (contract C4). */
export const configurationStatus = z.object({
  /** How often the configuration was read again. */
  reloads: count,
  /** true: the last one is not in force in all parts yet. */
  reloading: z.boolean(),
  /** What the last good one could not change, since it holds from a start on only. */
  not_reloaded: z.array(text),
  /** Why the last one was refused; null: it was not. */
  refused: z.nullable(
    z.object({
      file: text,
      problems: z.array(z.object({ path: text, message: text })),
      problems_left_out: z.optional(count),
    }),
  ),
});
export type ConfigurationStatus = z.infer<typeof configurationStatus>;

/** `agent` of `/desktop/status`. */
export const agentFigures = z.object({
  version: text,
  uptime_seconds: z.number(),
  source: z.nullable(text),
  health: z.array(text),
  configuration: configurationStatus,
  actors: z.object({
    scanner: actorStatus,
    session: actorStatus,
    executor: z.extend(actorStatus, { threads: count, queued: count, running: count }),
  }),
  detection: z.nullable(
    z.object({ source: text, tracked: count, missed: count, rescans: count, overflows: count }),
  ),
  store: z.object({ ok: z.boolean(), unsynced: count, waiting: count, reason: z.optional(text) }),
  resources: z.object({ cpu_percent: z.number(), rss_bytes: z.number() }),
  /** The game that `playwarden doctor` plays. */
  self_test: text,
  rejected_signatures: z.record(z.string(), count),
});

/** A child's day in `/desktop/usage`. */
export const usageDay = z.object({
  day: z.iso.date(),
  child_profile: text,
  used_minutes: minutes,
  limit_minutes: z.nullable(minutes),
  games: z.record(z.string(), minutes),
  sessions: z.array(sessionData),
});

/** The result of set_time_limit, extend_time, pause and resume: what is in force now. */
export const standing = z.object({
  child_profile: text,
  game: z.optional(text),
  game_name: z.optional(text),
  playing: z.boolean(),
  paused: z.boolean(),
  ...z.pick(childStatus, {
    paused_until: true,
    used_minutes_today: true,
    remaining_minutes: true,
    limited_by: true,
    limits: true,
  }).shape,
});

/** The result of force_close; `left_out` counts processes that an event had no room for. */
export const closeResult = z.object({
  outcome: closeOutcome,
  processes: z.array(closeReport),
  left_out: z.optional(count),
});
/** The result of a command that failed before it reached anything. */
export const failedResult = z.object({ outcome: z.literal('failed'), problem: problemAnswer });
/** The result of get_live_status. */
export const liveStatus = z.extend(childStatus, { child_profile: text });
/** The result of send_notification. */
export const sentResult = z.object({ sent: z.literal(true) });

/** `result` of a command's answer, whichever command it was. */
export const commandResult = z.union([closeResult, standing, liveStatus, sentResult, failedResult]);

const success = { status: z.literal('success'), timestamp: isoTime };
const atLog = { epoch: text, last_offset: count };

/** The 200 answer of each route. */
export const HTTP_ANSWERS = {
  'GET /health': z.object({
    status: z.enum(['healthy', 'degraded']),
    timestamp: isoTime,
    version: text,
  }),
  'POST /desktop/connect': z.object({
    ...success,
    message: text,
    client_id: text,
    agent_id: text,
    websocket_available: z.boolean(),
    websocket_url: text,
    poll_url: text,
    poll_interval_seconds: z.number(),
    queued_items: z.object({ sessions: count, notifications: count, events: count }),
    ...atLog,
    first_offset: count,
    acked_epoch: z.nullable(text),
    acked_offset: count,
  }),
  'POST /desktop/disconnect': z.object({ ...success, message: text }),
  'GET /desktop/status': z.object({
    ...success,
    connected: z.boolean(),
    websocket_available: z.boolean(),
    websocket_clients: count,
    queued_sessions: count,
    queued_notifications: count,
    queued_events: count,
    ...atLog,
    agent_id: text,
    agent: agentFigures,
    children: z.record(z.string(), childStatus),
  }),
  'GET /desktop/events/poll': z.object({
    ...success,
    events: z.array(deliveredEvent),
    count,
    epoch: text,
    next_after: count,
    has_more: z.boolean(),
    gap: z.nullable(gap),
  }),
  'GET /desktop/queue/sessions': z.object({ ...success, sessions: z.array(sessionData), count }),
  'GET /desktop/queue/notifications': z.object({
    ...success,
    notifications: z.array(DELIVERED.Notification),
    count,
  }),
  'GET /desktop/usage': z.object({
    ...success,
    /** Whose days these are, an IANA name. */
    time_zone: text,
    days: z.array(usageDay),
  }),
  'POST /desktop/command': z.extend(commandAnswer, { timestamp: isoTime, result: commandResult }),
  'POST /sync/confirm': z.object({
    ...success,
    session_id: text,
    confirmed: z.boolean(),
    already: z.boolean(),
  }),
} as const;

export type RouteName = keyof typeof HTTP_ANSWERS;
