/** Bodies and queries of the HTTP routes (contract section 4). Pure. */
import * as z from 'zod/mini';
import { clientId } from './frames.ts';
import { offset } from './position.ts';

export const HTTP_LIMITS = {
  maxBodyBytes: 64 * 1024,
  maxPollEvents: 500,
  maxPollWaitSeconds: 25,
  maxClients: 8,
  clientForgottenMs: 30 * 24 * 3_600_000,
  wrongTokensPerMinute: 10,
  commandsPerSecond: 20,
} as const;

/** A client that names itself not is this one (contract H1). */
export const DEFAULT_CLIENT = 'default';

/** Looks in and is not remembered: `playwarden doctor`, beside the eight that are. */
export const PASSING_CLIENT = 'playwarden-doctor';

/** A query value: text that must be a whole number within bounds. */
const wholeNumber = (min: number, max: number) =>
  z.pipe(
    z.pipe(
      z.string().check(z.regex(/^\d{1,16}$/, 'must be a whole number')),
      z.transform((text: string) => Number(text)),
    ),
    z.int().check(z.minimum(min), z.maximum(max)),
  );

const afterOffset = z.pipe(
  z.pipe(
    z.string().check(z.regex(/^\d{1,300}$/, 'must be a whole number')),
    z.transform((text: string) => Number(text)),
  ),
  offset,
);

const seconds = z.pipe(
  z.pipe(
    z.string().check(z.regex(/^\d{1,6}(\.\d{1,6})?$/, 'must be a number of seconds')),
    z.transform((text: string) => Number(text)),
  ),
  z.number().check(z.minimum(0), z.maximum(HTTP_LIMITS.maxPollWaitSeconds)),
);

/** The last seven days of an earlier one would reach before the year 1, where ISO days have no four digits. */
const FIRST_DAY = '0001-01-07';

const day = z.iso
  .date({ error: 'must be a day of the calendar, like 2026-08-11', abort: true })
  .check(z.refine((text) => text >= FIRST_DAY, `must be ${FIRST_DAY} or later`));

export const connectBody = z.object({
  client_id: z.optional(clientId),
  client_version: z.optional(z.string().check(z.maxLength(64))),
});
export const disconnectBody = z.object({ client_id: z.optional(clientId) });
export const statusQuery = z.object({ client_id: z.optional(clientId) });
export const pollQuery = z.object({
  client_id: z.optional(clientId),
  after: z.optional(afterOffset),
  epoch: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  limit: z.optional(wholeNumber(1, HTTP_LIMITS.maxPollEvents)),
  wait: z.optional(seconds),
});
export const queueQuery = z.object({
  client_id: z.optional(clientId),
  limit: z.optional(wholeNumber(1, HTTP_LIMITS.maxPollEvents)),
});
export const usageQuery = z.object({
  child: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  from: z.optional(day),
  to: z.optional(day),
});
export const confirmBody = z.object({
  session_id: z.string().check(z.minLength(1), z.maxLength(200)),
  success: z.boolean(),
});

export type PollQuery = z.infer<typeof pollQuery>;
export type ConfirmBody = z.infer<typeof confirmBody>;
