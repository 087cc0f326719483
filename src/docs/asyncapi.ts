/** The AsyncAPI 3 document of the WebSocket, put together from the frames' schemas. Pure; `generate.ts` writes it. */
import {
  SUBPROTOCOL_BEARER,
  SUBPROTOCOL_RELIABLE,
  SUBPROTOCOL_SIMPLE,
  WS_LIMITS,
} from '../protocol/frames.ts';
import { CLOSE_CODES, PROBLEMS, type ProblemSlug } from '../protocol/problems.ts';
import { frameSchemas, RECEIVED_FRAMES, SENT_FRAMES } from './schemas.ts';

type FrameName = (typeof SENT_FRAMES)[number] | (typeof RECEIVED_FRAMES)[number];

const MESSAGES: Readonly<Record<FrameName, string>> = {
  Hello: `The first frame of a client under ${SUBPROTOCOL_RELIABLE}, within ${WS_LIMITS.helloTimeoutMs / 1_000} s. \`resume\`: the position it stands at, or "now"; without it the agent’s cursor decides.`,
  Ack: 'Everything up to this position is stored by the client. Cumulative.',
  Ping: 'Asks for a `pong`, for programs that cannot send a WebSocket ping.',
  DesktopReady: 'Accepted, does nothing.',
  CommandFrame: 'A command, answered by a `command_result` with the same `command_id`.',
  Welcome:
    '`recovered` is true exactly when nothing between the client’s position and now is missing; else `gap` says what is.',
  Event: `An event. At most ${WS_LIMITS.windowEvents} are in flight unacknowledged.`,
  GapFrame: 'Stands in the place of events that cannot be had any more.',
  Pong: 'The answer to a `ping`.',
  CommandResultFrame: 'What came of a command, or the problem it was refused with.',
  ErrorFrame: `A frame was not understood; the link stays, up to ${WS_LIMITS.badFramesPerMinute} a minute.`,
  Bye: 'The server is about to close with this code; come back after `retry_after_ms`, if at all.',
};

/** What an upgrade may be refused with. */
const UPGRADE_REFUSALS: readonly ProblemSlug[] = [
  'bad-request',
  'host-refused',
  'origin-refused',
  'unauthorized',
  'too-many-attempts',
  'transport-disabled',
  'upgrade-required',
  'schema-mismatch',
  'too-many-clients',
  'too-many-sockets',
  'stopping',
];

/** `version`: the agent's. */
export function asyncApiDocument(version: string): Record<string, unknown> {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Playwarden over WebSocket',
      version,
      description:
        'What the agent on a child’s PC tells a desktop client at once. Generated from the schemas of the code by `npm run docs`. PROTOCOL.md says what the frames mean.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      agent: {
        host: 'localhost:{port}',
        protocol: 'ws',
        description: 'Loopback only; the port in use stands in DATA_DIR/agent.json.',
        variables: { port: { default: '8001' } },
        security: [{ $ref: '#/components/securitySchemes/token' }],
      },
    },
    channels: { link: channel() },
    operations: operations(),
    components: {
      schemas: frameSchemas(),
      messages: Object.fromEntries(
        Object.entries(MESSAGES).map(([name, summary]) => [
          name,
          { name, summary, payload: { $ref: `#/components/schemas/${name}` } },
        ]),
      ),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: `The view or the control token. A browser, which cannot set headers, offers the subprotocol \`${SUBPROTOCOL_BEARER}<token>\` beside the one it wants.`,
        },
      },
    },
  };
}

function channel(): Record<string, unknown> {
  const names = [...SENT_FRAMES, ...RECEIVED_FRAMES];
  return {
    address: '/',
    title: 'The link',
    description: `Any path. Text frames of JSON up to ${WS_LIMITS.maxFrameBytes / 1024} KiB each way, no compression. Under ${SUBPROTOCOL_RELIABLE} a client says hello and acknowledges; under ${SUBPROTOCOL_SIMPLE}, or none, it sends nothing and its pongs to pings of the payload \`o:<offset>\` acknowledge. The server pings every ${WS_LIMITS.pingIntervalMs / 1_000} s; ${WS_LIMITS.silenceTimeoutMs / 1_000} s of silence is a dead link.`,
    messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
    bindings: {
      ws: {
        method: 'GET',
        query: {
          type: 'object',
          properties: {
            client_id: {
              type: 'string',
              pattern: '^[A-Za-z0-9._-]{1,64}$',
              description: 'Names a simple client.',
            },
          },
        },
        headers: {
          type: 'object',
          properties: {
            'Sec-WebSocket-Protocol': {
              type: 'string',
              examples: [SUBPROTOCOL_RELIABLE, SUBPROTOCOL_SIMPLE],
            },
          },
        },
        bindingVersion: '0.1.0',
      },
    },
    'x-close-codes': CLOSE_CODES,
    'x-upgrade-refusals': Object.fromEntries(UPGRADE_REFUSALS.map((slug) => [slug, PROBLEMS[slug]])),
  };
}

/** `receive` and `send` are the agent's. */
function operations(): Record<string, unknown> {
  const answered: Partial<Record<FrameName, readonly FrameName[]>> = {
    Hello: ['Welcome', 'ErrorFrame'],
    Ping: ['Pong'],
    CommandFrame: ['CommandResultFrame'],
  };
  const received = SENT_FRAMES.map((name) => {
    const replies = answered[name];
    const reply = replies && { channel: { $ref: LINK }, messages: replies.map(inLink) };
    return [`receive${name}`, { ...one('receive', name), ...(reply && { reply }) }];
  });
  const replies = new Set<FrameName>(Object.values(answered).flat());
  const unasked = RECEIVED_FRAMES.filter(
    (name) => name === 'Welcome' || name === 'ErrorFrame' || !replies.has(name),
  );
  const sent = unasked.map((name) => [`send${name}`, one('send', name)]);
  return Object.fromEntries([...received, ...sent]);
}

const LINK = '#/channels/link';

function one(action: 'send' | 'receive', name: FrameName): Record<string, unknown> {
  return { action, channel: { $ref: LINK }, summary: MESSAGES[name], messages: [inLink(name)] };
}

function inLink(name: FrameName): { readonly $ref: string } {
  return { $ref: `${LINK}/messages/${name}` };
}
