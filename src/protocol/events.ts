/**
 * The events of contract section 6: what a client receives, on the WebSocket and in a poll alike. Schemas are the
 * source of the types. Envelope arithmetic (offsets, epochs) stands in position.ts.
 */
import * as z from 'zod/mini';

/** Not checked any further: what the agent writes is `2026-08-11T10:30:00.000Z`. */
export const isoTime = z.string().check(z.meta({ format: 'date-time' }));
const count = z.int().check(z.minimum(0));

export const processInfo = z.object({
  pid: z.int(),
  name: z.string(),
  started_at: isoTime,
  /** null: the process ended while nobody looked. */
  ended_at: z.optional(z.nullable(isoTime)),
  user: z.optional(z.nullable(z.string())),
  /** true: it ran already when the agent started. */
  found: z.optional(z.boolean()),
});

/** What bounds the remaining time (contract T5); null when nothing does. */
export const limitName = z.enum(['day', 'week', 'game', 'window', 'pause']);
export type LimitName = z.infer<typeof limitName>;

/** Why a warning, a close or a refusal happened: for a program, and in one sentence for a parent. */
export const explanation = z.object({
  rule: z.union([limitName, z.literal('command')]),
  sentence: z.string(),
  used_minutes: z.optional(z.number()),
  limit_minutes: z.optional(z.nullable(z.number())),
  extra_minutes: z.optional(z.number()),
  /** The trusted time it was decided by, ISO 8601. */
  clock: z.optional(isoTime),
});
export type Explanation = z.infer<typeof explanation>;

const gameRef = z.object({ id: z.string(), name: z.string() });

const processData = {
  process_info: processInfo,
  /** The child whose account runs it; null when no profile names the account. */
  child_profile: z.nullable(z.string()),
  reason: z.optional(z.string()),
  /** Of one that was closed for a limit or a pause. */
  why: z.optional(explanation),
};

export const robloxEvent = z.object({
  type: z.literal('roblox_event'),
  event_type: z.enum(['roblox_started', 'roblox_stopped', 'roblox_auto_closed']),
  data: z.object(processData),
});

export const gameEvent = z.object({
  type: z.literal('game_event'),
  event_type: z.enum(['game_started', 'game_stopped', 'game_auto_closed']),
  data: z.object({ game: gameRef, ...processData }),
});

/** A stretch of a session that nobody watched, and what of it was charged. */
export const sessionGap = z.object({
  from: isoTime,
  to: isoTime,
  charged_minutes: z.number(),
  reason: z.string(),
});

export const sessionData = z.object({
  session_id: z.string(),
  child_profile: z.string(),
  game: z.string(),
  time_start: isoTime,
  time_end: z.nullable(isoTime),
  duration_seconds: z.number(),
  duration_minutes: z.number(),
  is_active: z.boolean(),
  used_minutes_today: z.number(),
  remaining_minutes: z.nullable(z.number()),
  limited_by: z.nullable(limitName),
  gaps: z.array(sessionGap),
  /** Charged minutes per calendar day, when the session touched more than one. */
  by_day: z.optional(z.record(z.string(), z.number())),
  end_reason: z.optional(z.string()),
  /** In `time_limit_warning`: the warning that fired, minutes. */
  warning_minutes: z.optional(z.number()),
  why: z.optional(explanation),
});
export type SessionData = z.infer<typeof sessionData>;

export const sessionEvent = z.object({
  type: z.literal('session_event'),
  event_type: z.enum(['session_started', 'session_ended', 'time_limit_warning']),
  data: z.object({ session_data: sessionData }),
});

export const notificationEvent = z.object({
  type: z.literal('notification'),
  data: z.object({
    title: z.string(),
    message: z.string(),
    type: z.string(),
    child_profile: z.optional(z.string()),
    session_id: z.optional(z.string()),
    why: z.optional(explanation),
  }),
});

export const syncRequestEvent = z.object({
  type: z.literal('firebase_sync_request'),
  data: z.object({ data_type: z.literal('session'), data: sessionData }),
});

export const commandEvent = z.object({
  type: z.literal('command_event'),
  event_type: z.enum(['command_completed', 'command_failed', 'command_expired']),
  data: z.object({
    command_id: z.string(),
    command: z.string(),
    child_profile: z.nullable(z.string()),
    result: z.optional(z.unknown()),
    problem: z.optional(z.unknown()),
  }),
});

export const agentEvent = z.object({
  type: z.literal('agent_event'),
  event_type: z.enum([
    'agent_started',
    'agent_stopped',
    'agent_degraded',
    'agent_recovered',
    'clock_changed',
    'config_rejected',
    'config_reloaded',
    'tamper_suspected',
    'events_lost',
  ]),
  /** What happened, with numbers; `message` is a sentence for a person. */
  data: z.looseObject({ message: z.string() }),
});

export const eventBody = z.union([
  robloxEvent,
  gameEvent,
  sessionEvent,
  notificationEvent,
  syncRequestEvent,
  commandEvent,
  agentEvent,
]);

export type RobloxEvent = z.infer<typeof robloxEvent>;
export type GameEvent = z.infer<typeof gameEvent>;
export type SessionEvent = z.infer<typeof sessionEvent>;
export type CommandEvent = z.infer<typeof commandEvent>;
export type AgentEvent = z.infer<typeof agentEvent>;
export type EventBody = z.infer<typeof eventBody>;
export type ProcessInfo = z.infer<typeof processInfo>;

/** Given when the event is appended; `redelivered` is the receiving client's, the rest never changes (E2). */
export const eventMeta = z.object({
  /** UUIDv7. */
  id: z.string(),
  epoch: z.string(),
  offset: count,
  ts: isoTime,
  redelivered: z.boolean(),
});
export type EventMeta = z.infer<typeof eventMeta>;

/** An event as a client has it in its hand. */
export type DeliveredEvent = EventBody & { readonly meta: EventMeta };
