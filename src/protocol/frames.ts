/** WebSocket frames other than events (contract section 5), and the names of the subprotocols. Pure. */
import * as z from 'zod/mini';
import { commandAnswer } from './commands.ts';
import { isoTime } from './events.ts';
import { gap, position } from './position.ts';

export const SUBPROTOCOL_RELIABLE = 'playwarden.v1';
export const SUBPROTOCOL_SIMPLE = 'playwarden.simple';
/** A browser's token travels as a second subprotocol `bearer.<token>`; it is never selected. */
export const SUBPROTOCOL_BEARER = 'bearer.';

/** Bounds of contract section 5, in the unit the name says. */
export const WS_LIMITS = {
  maxFrameBytes: 64 * 1024,
  helloTimeoutMs: 5_000,
  windowEvents: 256,
  ackTimeoutMs: 30_000,
  pingIntervalMs: 25_000,
  silenceTimeoutMs: 35_000,
  badFramesPerMinute: 10,
  maxSockets: 16,
} as const;

export const clientId = z
  .string()
  .check(z.regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -'));

export const helloFrame = z.object({
  type: z.literal('hello'),
  client_id: z.optional(clientId),
  client_version: z.optional(z.string().check(z.maxLength(64))),
  resume: z.optional(
    z.union([z.literal('now'), position], { error: 'must be {"epoch", "offset"} or "now"' }),
  ),
});
export const ackFrame = z.object({ type: z.literal('ack'), ...position.shape });
export const pingFrame = z.object({ type: z.literal('ping') });
export const readyFrame = z.object({ type: z.literal('desktop_ready') });
export const commandFrame = z.object({ type: z.literal('command'), payload: z.unknown() });

/** Every frame a client may send after its hello. */
export const clientFrame = z.discriminatedUnion('type', [
  helloFrame,
  ackFrame,
  pingFrame,
  readyFrame,
  commandFrame,
]);
export type ClientFrame = z.infer<typeof clientFrame>;
export type HelloFrame = z.infer<typeof helloFrame>;

export const welcomeFrame = z.object({
  type: z.literal('welcome'),
  message: z.string(),
  protocol: z.literal(1),
  client_id: z.string(),
  agent_id: z.string(),
  epoch: z.string(),
  first_offset: z.int(),
  last_offset: z.int(),
  acked_epoch: z.nullable(z.string()),
  acked_offset: z.int(),
  recovered: z.boolean(),
  gap: z.nullable(gap),
  timestamp: isoTime,
});
export const gapFrame = z.object({ type: z.literal('gap'), ...gap.shape });
export const pongFrame = z.object({ type: z.literal('pong'), timestamp: isoTime });
export const byeFrame = z.object({ type: z.literal('bye'), code: z.int(), retry_after_ms: z.int() });
export const errorFrame = z.object({ type: z.literal('error'), problem: z.unknown() });
export const commandResultFrame = z.object({
  type: z.literal('command_result'),
  ...z.partial(commandAnswer).shape,
  command_id: z.optional(z.string()),
  problem: z.optional(z.unknown()),
});

/** Every frame the server sends beside events. */
export const serverFrame = z.discriminatedUnion('type', [
  welcomeFrame,
  gapFrame,
  pongFrame,
  byeFrame,
  errorFrame,
  commandResultFrame,
]);
export type WelcomeFrame = z.infer<typeof welcomeFrame>;
export type ServerFrame = z.infer<typeof serverFrame>;
