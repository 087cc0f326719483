/**
 * The platform of Node: the agent found through its data directory, the position in a file, `ws` for the WebSocket,
 * since Node 20 has none of its own. Loaded only where it runs.
 */
import { WebSocket } from 'ws';
import { SUBPROTOCOL_RELIABLE, WS_LIMITS } from '../protocol/frames.ts';
import { timerClock } from './clock.ts';
import { findEndpoint } from './discover.ts';
import { nodeFetch } from './node-fetch.ts';
import type { OpenSocket, Platform, PositionStore, Target } from './ports.ts';
import { defaultPositionFile, filePositions } from './position-file.ts';

/** How long the agent may take to answer a close, ms. */
const CLOSE_GRACE_MS = 1_000;

export interface NodeOptions {
  readonly clientId: string;
  readonly role?: 'view' | 'control';
  readonly positionFile?: string;
  readonly positionStore?: PositionStore;
}

export function nodePlatform(target: Target, options: NodeOptions): Platform {
  return {
    resolve: async () => ('dataDir' in target ? findEndpoint(target.dataDir, options.role) : target),
    openSocket: headerSocket,
    fetch: nodeFetch,
    positions:
      options.positionStore ??
      filePositions(options.positionFile ?? defaultPositionFile(target, options.clientId)),
    clock: timerClock,
    random: Math.random,
  };
}

const headerSocket: OpenSocket = ({ url, token }, handlers) => {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/`, SUBPROTOCOL_RELIABLE, {
    headers: { Authorization: `Bearer ${token}` },
    maxPayload: WS_LIMITS.maxFrameBytes,
    perMessageDeflate: false,
  });
  let failure = '';
  socket.on('open', () => handlers.onOpen());
  socket.on('message', (data, isBinary) => {
    if (!isBinary) handlers.onMessage(data.toString());
  });
  // Always followed by `close`.
  socket.on('error', (error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => handlers.onClose(code, reason.toString() || failure));
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => {
      socket.close(1000);
      // An agent that hangs answers no close frame, and ws would hold the process for 30 s.
      setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
    },
  };
};
