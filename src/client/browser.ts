/**
 * The platform of a browser, or of any runtime with a standard `fetch` and `WebSocket`: the token travels as a
 * second subprotocol, since a page cannot set headers on a WebSocket (contract S4).
 */
import { SUBPROTOCOL_BEARER, SUBPROTOCOL_RELIABLE } from '../protocol/frames.ts';
import type { Position } from '../protocol/position.ts';
import type { OpenSocket, PositionStore } from './ports.ts';

/** The part of the standard WebSocket that is used. */
export interface StandardSocket {
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
  send(text: string): void;
  close(code?: number): void;
}

export type StandardSocketClass = new (url: string, protocols: string[]) => StandardSocket;

export function standardSocket(Socket: StandardSocketClass): OpenSocket {
  return ({ url, token }, handlers) => {
    const address = `${url.replace(/^http/, 'ws')}/`;
    const socket = new Socket(address, [SUBPROTOCOL_RELIABLE, `${SUBPROTOCOL_BEARER}${token}`]);
    let closed = false;
    const ended = (code: number, reason: string) => {
      if (!closed) handlers.onClose(code, reason);
      closed = true;
    };
    socket.addEventListener('open', () => handlers.onOpen());
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') handlers.onMessage(data);
    });
    socket.addEventListener('close', ({ code, reason }) => ended(code, reason));
    return {
      send: (text) => socket.send(text),
      close: () => socket.close(1000),
    };
  };
}

/** Forgets with the program; the agent's cursor remembers what was acknowledged. */
export function memoryPositions(initial: readonly Position[] = []): PositionStore {
  let kept = initial;
  return {
    load: async () => kept,
    save: async (positions) => {
      kept = positions;
    },
  };
}
