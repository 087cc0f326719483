/**
 * `playwarden/client`: the agent's events, acknowledged at the program's own pace, over WebSocket or polling. The
 * package's export, imported by nobody inside. Loads nothing of Node unless it runs there.
 */
import { memoryPositions, type StandardSocketClass, standardSocket } from './browser.ts';
import { timerClock } from './clock.ts';
import { Connection } from './core.ts';
import type { ClientOptions, Fetch, OpenSocket, Platform, PositionStore, Target } from './ports.ts';

export type { CommandAnswer } from '../protocol/commands.ts';
export type { DeliveredEvent, EventBody, EventMeta, SessionData } from '../protocol/events.ts';
export type { Gap, Position } from '../protocol/position.ts';
export type { ProblemBody } from '../protocol/problems.ts';
export {
  AgentError,
  type AgentStatus,
  type CommandRequest,
  type ConfirmAnswer,
  type UsageDay,
} from './agent-api.ts';
export { memoryPositions, type StandardSocketClass, standardSocket } from './browser.ts';
export { Connection, StoppedError } from './core.ts';
export { TimeoutError } from './deadline.ts';
export { NotRunningError } from './not-running.ts';
export type {
  ClientOptions,
  ClientSocket,
  ConnectionState,
  Endpoint,
  Fetch,
  OpenSocket,
  PositionStore,
  ReceivedEvent,
  SocketHandlers,
  Target,
} from './ports.ts';
export { UnansweredError } from './until-answered.ts';

export interface ConnectOptions extends ClientOptions {
  /**
   * Which token of the data directory to use. Left out: the control token where this account may read it, else
   * the view token.
   */
  readonly role?: 'view' | 'control';
  /** Where the position is kept; Node only. Left out: a file of this client's and agent's in the user's state directory. */
  readonly positionFile?: string;
  /** In the place of the file. In a browser the default forgets, and the agent's cursor decides. */
  readonly positionStore?: PositionStore;
  readonly openSocket?: OpenSocket;
  readonly fetch?: Fetch;
}

/**
 * Connects and stays connected until `close()`: WebSocket first, polling while that fails. Settles once the stored
 * position is loaded, whether the agent runs or not.
 */
export async function connect(target: Target, options: ConnectOptions): Promise<Connection> {
  const { role, positionFile, positionStore, openSocket, fetch, ...rest } = options;
  const base = (runsInNode() ? await nodeBase(target, options) : null) ?? webBase(target);
  return Connection.open(
    {
      ...base,
      positions: positionStore ?? base.positions,
      openSocket: openSocket ?? base.openSocket,
      fetch: fetch ?? base.fetch,
    },
    rest,
  );
}

function runsInNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

/** null: a bundle for browsers, which leaves Node's part empty, runs in Node all the same (Electron, a server's rendering). */
async function nodeBase(target: Target, options: ConnectOptions): Promise<Platform | null> {
  const { nodePlatform }: Partial<typeof import('./node.ts')> = await import('./node.ts');
  return nodePlatform?.(target, options) ?? null;
}

function webBase(target: Target): Platform {
  if ('dataDir' in target)
    throw new TypeError(
      'a data directory can only be read by Node, and not from a bundle for browsers: give url and token',
    );
  const { WebSocket } = globalThis as unknown as { WebSocket?: StandardSocketClass };
  return {
    resolve: async () => target,
    openSocket: WebSocket ? standardSocket(WebSocket) : noSocket,
    fetch: (url, init) => globalThis.fetch(url, init),
    positions: memoryPositions(),
    clock: timerClock,
    random: Math.random,
  };
}

/** Node 20, for one: polling remains. */
const noSocket: OpenSocket = () => {
  throw new Error('this runtime has no WebSocket');
};
