/** Commands of contract section 7: their schemas, their results, and which of them change something. Pure. */
import * as z from 'zod/mini';
import { wellFormed } from './well-formed.ts';

const minutes = z.number().check(z.positive(), z.maximum(10_080));
const gameId = z.optional(z.string().check(z.minLength(1), z.maxLength(64)));

/** Parameters of each command; unknown keys are errors. */
export const COMMAND_PARAMETERS = {
  force_close: z.strictObject({
    game: gameId,
    reason: z.optional(z.string().check(z.maxLength(1_000), wellFormed)),
  }),
  set_time_limit: z.strictObject({
    minutes: z.union([z.number().check(z.minimum(0), z.maximum(10_080)), z.null(), z.literal('config')], {
      error: 'must be a number of minutes, null for no limit, or "config"',
    }),
    game: gameId,
  }),
  extend_time: z.strictObject({ minutes: z.number().check(z.minimum(1), z.maximum(720)), game: gameId }),
  pause: z.strictObject({ minutes: z.optional(minutes) }),
  /** Takes what `pause` takes (contract section 7), where it means nothing. */
  resume: z.strictObject({ minutes: z.optional(minutes) }),
  get_live_status: z.strictObject({}),
  send_notification: z.strictObject({
    title: z.string().check(z.minLength(1), z.maxLength(200), wellFormed),
    message: z.string().check(z.minLength(1), z.maxLength(4_000), wellFormed),
    type: z.optional(z.string().check(z.minLength(1), z.maxLength(64), wellFormed)),
  }),
} as const;

export type CommandName = keyof typeof COMMAND_PARAMETERS;

/** Other names a command may come under. */
export const COMMAND_ALIASES: Readonly<Record<string, CommandName>> = { force_close_roblox: 'force_close' };

/** Commands that only look: open to the view token, never signed. */
export const READ_ONLY_COMMANDS: ReadonlySet<CommandName> = new Set(['get_live_status']);

/**
 * Characters are counted as code points, here and in the documents. Half a surrogate pair is none: the database would
 * keep another character in its place, and two ids would be one.
 */
export const commandId = z.string().check(z.minLength(1), z.maxLength(64), wellFormed);

/** A command as it comes over HTTP or the WebSocket, before its parameters are looked at. */
export const commandEnvelope = z.strictObject({
  command: z.string().check(z.minLength(1), z.maxLength(64)),
  child_profile: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  parameters: z.optional(z.record(z.string(), z.unknown())),
  command_id: z.optional(commandId),
  expires_at: z.optional(
    z.iso.datetime({
      offset: true,
      error: 'must be an ISO 8601 time with seconds and a zone, like 2026-08-11T10:35:00Z or …+02:00',
    }),
  ),
});

/** A signed command (K5): a compact JWS over the envelope plus `iat`, `exp`, `aud`. */
export const signedCommand = z.strictObject({ jws: z.string().check(z.minLength(1), z.maxLength(16_384)) });

/** The claims a signed command must carry beside the envelope's keys. */
export const signedPayload = z.extend(commandEnvelope, {
  command_id: commandId,
  iat: z.number(),
  exp: z.number(),
  aud: z.string(),
});

type ParametersOf<N extends CommandName> = z.infer<(typeof COMMAND_PARAMETERS)[N]>;

/** A command whose name, child and parameters were checked. */
export type Command = {
  [N in CommandName]: {
    readonly command: N;
    readonly command_id: string;
    /** The name it came under, if that is another than its own: it is answered and told under that one. */
    readonly asked_as?: string;
    /** null: a command about no child in particular (send_notification without a child). */
    readonly child_profile: string | null;
    readonly parameters: ParametersOf<N>;
    /** ISO 8601: not begun after this, nor begun again after a restart. */
    readonly expires_at?: string;
  };
}[CommandName];

/** What became of one process that was to be closed. */
export const closeOutcome = z.enum(['closed', 'not_running', 'denied', 'failed']);

/** How far a close came (contract K4). */
export const closeStage = z.enum(['accepted', 'asked', 'forced', 'verified']);
export type CloseStage = z.infer<typeof closeStage>;

export const closeReport = z.object({
  pid: z.int(),
  name: z.string(),
  outcome: closeOutcome,
  /** From the order to the verdict, ms. */
  waited_ms: z.number(),
  stages: z.optional(z.array(z.object({ stage: closeStage, at_ms: z.number() }))),
  /** The system's own reason when it was denied or failed. */
  error: z.optional(z.string()),
});
export type CloseReport = z.infer<typeof closeReport>;

/** The answer to a command (contract K1); `duplicate` when it was carried out before. */
export const commandAnswer = z.object({
  status: z.enum(['success', 'error']),
  command: z.string(),
  command_id: z.string(),
  duplicate: z.boolean(),
  result: z.unknown(),
});
export type CommandAnswer = z.infer<typeof commandAnswer>;
