/**
 * The schemas that both documents name, as JSON Schema: each under its name, and referred to by it wherever another
 * one contains it. What a client receives stays open for keys of newer agents.
 */
import * as z from 'zod/mini';
import {
  COMMAND_ALIASES,
  COMMAND_PARAMETERS,
  closeReport,
  commandAnswer,
  commandEnvelope,
  signedCommand,
} from '../protocol/commands.ts';
import { eventMeta, explanation, processInfo, sessionData } from '../protocol/events.ts';
import {
  ackFrame,
  byeFrame,
  commandFrame,
  errorFrame,
  gapFrame,
  helloFrame,
  pingFrame,
  pongFrame,
  readyFrame,
  welcomeFrame,
} from '../protocol/frames.ts';
import { confirmBody, connectBody, disconnectBody } from '../protocol/http.ts';
import {
  agentFigures,
  childStatus,
  closeResult,
  commandResult,
  DELIVERED,
  deliveredEvent,
  failedResult,
  HTTP_ANSWERS,
  limits,
  liveStatus,
  problemAnswer,
  type RouteName,
  sentResult,
  standing,
  usageDay,
} from '../protocol/http-answers.ts';
import { gap, position } from '../protocol/position.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;
type Schemas = Readonly<Record<string, z.ZodMiniType>>;

/** `force_close` → `ForceCloseCommand`. */
function commandName(command: string): string {
  return `${command.replace(/(?:^|_)(.)/g, (_, first: string) => first.toUpperCase())}Command`;
}

/** Each command as a whole: the envelope with this command's parameters. */
const UNSIGNED = Object.fromEntries(
  Object.entries(COMMAND_PARAMETERS).map(([name, parameters]) => {
    const aliases = Object.keys(COMMAND_ALIASES).filter((alias) => COMMAND_ALIASES[alias] === name);
    const needed = !parameters.safeParse({}).success;
    return [
      commandName(name),
      z.extend(commandEnvelope, {
        command: z.enum([name, ...aliases]),
        parameters: needed ? parameters : z.optional(parameters),
      }),
    ];
  }),
);
const command = z.union([...Object.values(UNSIGNED), signedCommand]);
const finished = z.extend(commandAnswer, { result: commandResult });

const SHARED = {
  Event: deliveredEvent,
  ...DELIVERED,
  Meta: eventMeta,
  Position: position,
  Gap: gap,
  ProcessInfo: processInfo,
  SessionData: sessionData,
  Explanation: explanation,
  Problem: problemAnswer,
  Command: command,
  ...UNSIGNED,
  SignedCommand: signedCommand,
  CommandResult: commandResult,
  CloseResult: closeResult,
  CloseReport: closeReport,
  Standing: standing,
  Limits: limits,
  LiveStatus: liveStatus,
  SentResult: sentResult,
  FailedResult: failedResult,
} as const;

const HTTP = {
  ChildStatus: childStatus,
  AgentFigures: agentFigures,
  UsageDay: usageDay,
  ConnectBody: connectBody,
  DisconnectBody: disconnectBody,
  ConfirmBody: confirmBody,
} as const;

const FRAMES = {
  Hello: helloFrame,
  Ack: ackFrame,
  Ping: pingFrame,
  DesktopReady: readyFrame,
  CommandFrame: z.extend(commandFrame, { payload: command }),
  Welcome: welcomeFrame,
  GapFrame: gapFrame,
  Pong: pongFrame,
  CommandResultFrame: z.union([
    z.object({ type: z.literal('command_result'), ...finished.shape }),
    z.object({
      type: z.literal('command_result'),
      status: z.literal('error'),
      command_id: z.optional(z.string()),
      problem: problemAnswer,
    }),
  ]),
  ErrorFrame: z.extend(errorFrame, { problem: problemAnswer }),
  Bye: byeFrame,
} as const;

/** The name of a route's answer among the schemas. */
export const ANSWER_NAMES: Readonly<Record<RouteName, string>> = {
  'GET /health': 'HealthAnswer',
  'POST /desktop/connect': 'ConnectAnswer',
  'POST /desktop/disconnect': 'DisconnectAnswer',
  'GET /desktop/status': 'StatusAnswer',
  'GET /desktop/events/poll': 'PollAnswer',
  'GET /desktop/queue/sessions': 'QueuedSessionsAnswer',
  'GET /desktop/queue/notifications': 'QueuedNotificationsAnswer',
  'GET /desktop/usage': 'UsageAnswer',
  'POST /desktop/command': 'CommandAnswer',
  'POST /sync/confirm': 'ConfirmAnswer',
};

const ABOUT: Readonly<Record<string, string>> = {
  Event:
    'An event, the same on the WebSocket and in a poll. `(epoch, offset)` of `meta` identifies it for good.',
  Meta: '`id` is a UUIDv7. `offset` counts 1, 2, 3 … within an epoch. `redelivered`: this client may have had it before.',
  Position:
    'Everything up to and including this offset of this epoch is behind the client. Offset 0 stands before the first event of its epoch.',
  Gap: 'Events that cannot be had any more: a client that stood at `from` now stands at `to`. `lost` null: nobody can know how many.',
  ProcessInfo:
    '`ended_at` null: nobody saw the moment. `found`: it ran already when the agent started. `user` null: not known.',
  SessionData:
    'A session as it stood. Durations are charged play. `remaining_minutes` null: nothing limits it. `by_day`: charged minutes for each calendar day.',
  Explanation: 'Why a warning or a close happened: the rule, one sentence for a parent, the numbers it saw.',
  Problem: 'A refusal (RFC 9457). The slugs, and what to do about each, stand in PROTOCOL.md.',
  Command: 'A command, or a signed one where parent keys are enrolled.',
  SignedCommand:
    'A compact JWS (EdDSA) whose payload is a command with `command_id`, and `iat`, `exp` (epoch seconds) and `aud` (the agent_id).',
  Standing: 'What is in force after set_time_limit, extend_time, pause or resume.',
  FailedResult: 'The command failed before it reached anything.',
  Limits:
    '`daily_limit_minutes` is the base; `extra_minutes` come on top today. `window`: the one that is open, or the next.',
  ChildStatus:
    'How a child stands now. A pause without an end: `limited_by` is `pause`, `paused_until` null.',
  PollAnswer:
    'The next poll says `after=<next_after>&epoch=<epoch>`: that acknowledges this batch once it is stored.',
};

/** All schemas of HTTP bodies and answers. */
export function httpSchemas(): Record<string, JsonSchema> {
  const answers = Object.entries(HTTP_ANSWERS).map(([route, answer]) => {
    return [ANSWER_NAMES[route as RouteName], answer] as const;
  });
  return rendered({ ...SHARED, ...HTTP, ...Object.fromEntries(answers) });
}

/** All schemas of frames. */
export function frameSchemas(): Record<string, JsonSchema> {
  return rendered({ ...SHARED, ...FRAMES });
}

/** The names of the frames a client sends, and of those it receives. */
export const SENT_FRAMES = ['Hello', 'Ack', 'Ping', 'DesktopReady', 'CommandFrame'] as const;
export const RECEIVED_FRAMES = [
  'Welcome',
  'Event',
  'GapFrame',
  'Pong',
  'CommandResultFrame',
  'ErrorFrame',
  'Bye',
] as const;

/** The keys of a query, each with its schema, as the value it stands for: `limit` is a number, not digits. */
export function queryParameters(schema: z.ZodMiniType): readonly { name: string; schema: JsonSchema }[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output', override: tidy });
  return Object.entries(properties).map(([name, property]) => ({ name, schema: property as JsonSchema }));
}

function rendered(named: Schemas): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const uri = (id: string) => `#/components/schemas/${id}`;
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri, override: tidy });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => {
      const about = ABOUT[name];
      return [name, about === undefined ? schema : { description: about, ...schema }];
    }),
  );
}

/** Leaves out what says nothing: the bounds of a JavaScript integer, that keys are strings, a format once more as a pattern. */
function tidy({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.format?.startsWith('date')) delete jsonSchema.pattern;
  if (typeof jsonSchema.propertyNames === 'object' && !('pattern' in jsonSchema.propertyNames)) {
    delete jsonSchema.propertyNames;
  }
}
