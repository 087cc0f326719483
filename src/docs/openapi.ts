/** The OpenAPI 3.1 document of the HTTP routes, put together from their schemas. Pure; `generate.ts` writes it. */
import type * as z from 'zod/mini';
import { pollQuery, queueQuery, statusQuery, usageQuery } from '../protocol/http.ts';
import type { RouteName } from '../protocol/http-answers.ts';
import { PROBLEMS, type ProblemSlug } from '../protocol/problems.ts';
import { ANSWER_NAMES, httpSchemas, queryParameters } from './schemas.ts';

interface RouteText {
  readonly summary: string;
  readonly description?: string;
  readonly query?: z.ZodMiniType;
  readonly body?: { readonly schema: string; readonly required: boolean };
  /** Problems beyond those that every route has. */
  readonly problems?: readonly ProblemSlug[];
}

const ROUTES: Readonly<Record<RouteName, RouteText>> = {
  'GET /health': { summary: 'Whether the agent does its work. Needs no token.' },
  'POST /desktop/connect': {
    summary: 'Where a client stands, and where to connect to.',
    body: { schema: 'ConnectBody', required: false },
    problems: ['too-many-clients'],
  },
  'POST /desktop/disconnect': {
    summary: 'A client leaves: its socket is closed, its waiting poll ends, its cursor stays.',
    body: { schema: 'DisconnectBody', required: false },
  },
  'GET /desktop/status': {
    summary: 'Connection, queues, agent and children in one look.',
    query: statusQuery,
  },
  'GET /desktop/events/poll': {
    summary: 'The events that follow a position.',
    description:
      'With `after` (and its `epoch`) everything up to there is acknowledged and what follows is returned. Without it the cursor decides, and the batch counts as acknowledged when the same client polls again. With nothing stored yet say `after=0` without `epoch`: a client that has acknowledged nothing goes on from where it was first seen. `wait` (seconds) holds the answer until there is something to return.',
    query: pollQuery,
    problems: ['transport-disabled', 'too-many-clients', 'offset-unknown'],
  },
  'GET /desktop/queue/sessions': {
    summary: 'Ended sessions that were not confirmed by /sync/confirm.',
    query: queueQuery,
  },
  'GET /desktop/queue/notifications': {
    summary: 'Notifications that this client has not acknowledged. Looking acknowledges nothing.',
    query: queueQuery,
  },
  'GET /desktop/usage': {
    summary: 'Minutes, limits and sessions of each child and day.',
    description: 'Without `from` and `to` the last seven days; at most 366.',
    query: usageQuery,
    problems: ['child-unknown'],
  },
  'POST /desktop/command': {
    summary: 'Carries out a command, once for each `command_id`.',
    description:
      'The view token is enough for `get_live_status` and for signed commands. `"status":"error"` in a 200: it was carried out and failed.',
    body: { schema: 'Command', required: true },
    problems: [
      'control-required',
      'signature-required',
      'signature-invalid',
      'signature-wrong-key',
      'signature-wrong-audience',
      'signature-expired',
      'signature-incomplete',
      'command-expired',
      'command-unknown',
      'child-unknown',
      'command-id-reused',
      'too-many-commands',
    ],
  },
  'POST /sync/confirm': {
    summary: 'Says whether an ended session reached Firebase.',
    body: { schema: 'ConfirmBody', required: true },
    problems: ['session-unknown', 'session-running'],
  },
};

const ALWAYS: readonly ProblemSlug[] = [
  'bad-request',
  'host-refused',
  'origin-refused',
  'internal',
  'stopping',
  'unavailable',
];
const WITH_TOKEN: readonly ProblemSlug[] = ['unauthorized', 'too-many-attempts'];
const WITH_BODY: readonly ProblemSlug[] = ['bad-json', 'too-large', 'media-type', 'schema-mismatch'];
const WITH_QUERY: readonly ProblemSlug[] = ['schema-mismatch'];

/** `version`: the agent's. */
export function openApiDocument(version: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Playwarden over HTTP',
      version,
      summary: 'What a desktop client asks the agent on a child’s PC.',
      description:
        'Generated from the schemas of the code by `npm run docs`. PROTOCOL.md says what the routes mean. An unknown path is 404 `not-found`, another method 405 `method-not-allowed`; without a right token both are 401.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      {
        url: 'http://localhost:{port}',
        description: 'Loopback only; the port in use stands in DATA_DIR/agent.json.',
        variables: { port: { default: '8001' } },
      },
    ],
    security: [{ viewToken: [] }, { controlToken: [] }],
    paths: paths(),
    components: {
      schemas: httpSchemas(),
      securitySchemes: {
        viewToken: bearer('view.token: look, poll, acknowledge, confirm, relay signed commands.'),
        controlToken: bearer('control.token: unsigned commands too, as long as no parent keys are enrolled.'),
      },
    },
  };
}

function paths(): Record<string, Record<string, unknown>> {
  const found: Record<string, Record<string, unknown>> = {};
  for (const [name, text] of Object.entries(ROUTES)) {
    const [method = '', path = ''] = name.split(' ');
    found[path] = { ...found[path], [method.toLowerCase()]: operation(name as RouteName, text) };
  }
  return found;
}

function operation(name: RouteName, text: RouteText): Record<string, unknown> {
  const answer = ANSWER_NAMES[name];
  const open = name === 'GET /health';
  const problems = [
    ...ALWAYS,
    ...(open ? [] : WITH_TOKEN),
    ...(text.body ? WITH_BODY : []),
    ...(text.query ? WITH_QUERY : []),
    ...(text.problems ?? []),
  ];
  return {
    operationId: answer.charAt(0).toLowerCase() + answer.slice(1, -'Answer'.length),
    summary: text.summary,
    ...(text.description && { description: text.description }),
    ...(open && { security: [] }),
    ...(text.query && {
      parameters: queryParameters(text.query).map(({ name: key, schema }) => ({
        name: key,
        in: 'query',
        schema,
      })),
    }),
    ...(text.body && {
      requestBody: {
        required: text.body.required,
        content: { 'application/json': { schema: ref(text.body.schema) } },
      },
    }),
    responses: {
      200: { description: 'Done.', content: { 'application/json': { schema: ref(answer) } } },
      ...refusals(problems),
    },
  };
}

/** One response for each status, which names the problems that come under it. */
function refusals(slugs: readonly ProblemSlug[]): Record<string, unknown> {
  const statuses = new Set(slugs.map((slug) => PROBLEMS[slug].status));
  return Object.fromEntries([...statuses].map((status) => [status, refusal(status, slugs)]));
}

function refusal(status: number, slugs: readonly ProblemSlug[]): Record<string, unknown> {
  const here = slugs.filter((slug) => PROBLEMS[slug].status === status);
  return {
    description: here.map((slug) => `\`${slug}\`: ${PROBLEMS[slug].title}.`).join(' '),
    content: { 'application/problem+json': { schema: ref('Problem') } },
  };
}

function ref(schema: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${schema}` };
}

function bearer(description: string): Record<string, string> {
  return { type: 'http', scheme: 'bearer', description };
}
