/**
 * From the body of a command to a command that can be carried out, in two steps: what the body says by itself
 * (its schema, what it is called, which id), and what it means under the configuration (child, game). Between the
 * two the desk looks for a duplicate, so that a stored result does not depend on today's configuration. Pure.
 */
import { createHash } from 'node:crypto';
import {
  COMMAND_ALIASES,
  COMMAND_PARAMETERS,
  type Command,
  type CommandName,
  commandEnvelope,
  READ_ONLY_COMMANDS,
} from '../protocol/commands.ts';
import type { Config } from '../protocol/config.ts';
import type { Answer } from '../protocol/ports.ts';
import { type FieldError, type Problem, problem } from '../protocol/problems.ts';
import { fieldErrors } from '../protocol/schema-errors.ts';

/** A body that holds by itself. */
export interface CommandRequest {
  readonly name: CommandName;
  /** The name it came under. */
  readonly asked: string;
  readonly commandId: string | null;
  readonly child: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Trusted wall ms; null: it does not expire. */
  readonly expiresMs: number | null;
  /** Over what is asked for, not over when: a repetition with a new expiry is still the same command. */
  readonly bodyHash: string;
}

/** Whether a command of this name changes something; a name that nobody knows changes nothing. */
export function changesSomething(body: unknown): boolean {
  const name = isRecord(body) && typeof body.command === 'string' ? commandName(body.command) : null;
  return name !== null && !READ_ONLY_COMMANDS.has(name);
}

/** Checks the envelope, the name and the parameters; every problem of them is told at once. */
export function readRequest(body: unknown): Answer<CommandRequest> {
  const parsed = commandEnvelope.safeParse(body);
  const errors = fieldErrors(parsed.error?.issues ?? []);
  const asked = isRecord(body) && typeof body.command === 'string' ? body.command : null;
  const name = asked === null ? null : commandName(asked);
  if (asked !== null && name === null) return refuse(unknownCommand(asked, errors));
  if (name !== null) errors.push(...parameterErrors(name, body));
  if (!parsed.success || name === null || asked === null || errors.length > 0) {
    return refuse(mismatch(dedupe(errors)));
  }
  const { command_id, child_profile, expires_at } = parsed.data;
  const parameters = parsed.data.parameters ?? {};
  const value: CommandRequest = {
    name,
    asked,
    commandId: command_id ?? null,
    child: child_profile ?? null,
    parameters,
    expiresMs: expires_at === undefined ? null : Date.parse(expires_at),
    bodyHash: hash([name, child_profile ?? null, parameters]),
  };
  return { ok: true, value };
}

/** The command under a configuration: whose child it is, and whether its game exists. */
export function resolveCommand(request: CommandRequest, commandId: string, config: Config): Answer<Command> {
  const children = Object.keys(config.profiles);
  const child = request.child ?? (children.length === 1 ? (children[0] ?? null) : null);
  if (child === null && request.name !== 'send_notification') {
    return refuse(unknownChild(`Say which child is meant with child_profile: ${children.join(', ')}.`));
  }
  if (child !== null && !children.includes(child)) {
    return refuse(unknownChild(`No child is called "${child}"; there is ${children.join(', ')}.`));
  }
  const { game } = request.parameters;
  const games = config.games.map((g) => g.id);
  if (typeof game === 'string' && !games.includes(game)) {
    return refuse(mismatch([{ path: 'parameters.game', message: `must be one of ${games.join(', ')}` }]));
  }
  // The schema of this name has held for these parameters.
  const command = {
    command: request.name,
    command_id: commandId,
    child_profile: child,
    parameters: request.parameters,
    ...(request.asked !== request.name && { asked_as: request.asked }),
    ...(request.expiresMs !== null && { expires_at: new Date(request.expiresMs).toISOString() }),
  } as Command;
  return { ok: true, value: command };
}

function commandName(asked: string): CommandName | null {
  const alias = Object.hasOwn(COMMAND_ALIASES, asked) ? COMMAND_ALIASES[asked] : undefined;
  const name = alias ?? asked;
  return Object.hasOwn(COMMAND_PARAMETERS, name) ? (name as CommandName) : null;
}

function parameterErrors(name: CommandName, body: unknown): FieldError[] {
  const given = isRecord(body) ? body.parameters : undefined;
  const parsed = COMMAND_PARAMETERS[name].safeParse(given === undefined ? {} : given);
  return fieldErrors(parsed.error?.issues ?? []).map(({ path, message }) => ({
    path: path === '$' ? 'parameters' : `parameters.${path}`,
    message,
  }));
}

function unknownCommand(asked: string, errors: readonly FieldError[]): Problem {
  const names = [...Object.keys(COMMAND_PARAMETERS), ...Object.keys(COMMAND_ALIASES)].join(', ');
  const told = asked.slice(0, 64);
  return problem('command-unknown', `There is no command "${told}"; there is ${names}.`, {
    errors: [{ path: 'command', message: `must be one of ${names}` }, ...errors],
  });
}

const mismatch = (errors: readonly FieldError[]): Problem =>
  problem('schema-mismatch', 'The command does not fit its schema.', { errors });

const unknownChild = (detail: string): Problem =>
  problem('child-unknown', detail, { errors: [{ path: 'child_profile', message: 'must name a child' }] });

const refuse = (refused: Problem) => ({ ok: false, problem: refused }) as const;

/** Both the envelope and the parameters' own schema look at `parameters`: one telling of each path is enough. */
function dedupe(errors: readonly FieldError[]): FieldError[] {
  return errors.filter((error, i) => errors.findIndex((other) => other.path === error.path) === i);
}

function hash(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('base64url');
}

/** JSON with sorted keys. What comes here went through a flat schema, so the depth is bounded. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value) ?? 'null';
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([key, v]) => `${JSON.stringify(key)}:${canonical(v)}`).join(',')}}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
