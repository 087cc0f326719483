/** Frames of a WebSocket session: text in → a checked frame or a problem, values → text out. Pure. */
import type * as z from 'zod/mini';
import { commandId } from '../protocol/commands.ts';
import { fitting } from '../protocol/fitting.ts';
import {
  type ClientFrame,
  clientFrame,
  type HelloFrame,
  helloFrame,
  type ServerFrame,
} from '../protocol/frames.ts';
import { type Problem, problem, problemBody } from '../protocol/problems.ts';
import { fieldErrors } from '../protocol/schema-errors.ts';
import { jsonText } from '../protocol/well-formed.ts';
import { parseJson, parseJsonBytes } from './json-text.ts';

export type Read<T> =
  | { readonly ok: true; readonly frame: T }
  | { readonly ok: false; readonly problem: Problem };

/** A frame after the handshake; `text` null: it was binary. */
export function readFrame(text: string | null): Read<ClientFrame> {
  return read(text, clientFrame, 'The frame is none that the server knows.');
}

/** The first frame of a reliable client. */
export function readHello(text: string | null): Read<HelloFrame> {
  return read(text, helloFrame, 'The first frame must be a hello.');
}

function read<T>(text: string | null, schema: z.ZodMiniType<T>, mismatch: string): Read<T> {
  if (text === null) return { ok: false, problem: problem('bad-json', 'A frame must be text, not binary.') };
  const parsed = parseJson(text);
  if (!parsed.ok)
    return { ok: false, problem: problem('bad-json', `A frame is one JSON object: ${parsed.reason}.`) };
  const result = schema.safeParse(parsed.value);
  if (result.success) return { ok: true, frame: result.data };
  const errors = fieldErrors(result.error.issues);
  return { ok: false, problem: problem('schema-mismatch', mismatch, { errors }) };
}

export function writeFrame(frame: ServerFrame): string {
  return jsonText(frame);
}

export function errorFrameText(reason: Problem): string {
  return writeFrame({ type: 'error', problem: problemBody(reason, 'frame') });
}

/** The refusal of a command, under the id it came with if it had one. */
export function commandRefusedText(payload: unknown, reason: Problem): string {
  const id = commandIdOf(payload);
  return writeFrame({
    type: 'command_result',
    status: 'error',
    ...(id !== undefined && { command_id: id }),
    problem: problemBody(withRoom(reason), id ?? 'command'),
  });
}

/** With as many errors as a frame holds; over HTTP all of them are told. */
function withRoom(reason: Problem): Problem {
  const { items, leftOut } = fitting(reason.errors ?? []);
  if (leftOut === 0) return reason;
  return { ...reason, detail: `${reason.detail} ${leftOut} more errors have no room here.`, errors: items };
}

/** The id of a signed command stands in its text; to be told which one was refused, the signature need not hold. */
function commandIdOf(payload: unknown): string | undefined {
  const jws = keyOf(payload, 'jws');
  const signed =
    typeof jws === 'string' ? parseJsonBytes(Buffer.from(jws.split('.')[1] ?? '', 'base64url')) : null;
  const id = keyOf(signed?.ok ? signed.value : payload, 'command_id');
  return commandId.safeParse(id).data;
}

function keyOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
