/**
 * The words of Linux's process connector: what is sent to listen and what comes back (linux/cn_proc.h). Bytes
 * only, no socket. All numbers are in the byte order of the machines Node runs on: little endian.
 */

export const PROC_EVENT_NONE = 0;
export const PROC_EVENT_FORK = 0x1;
export const PROC_EVENT_EXEC = 0x2;
export const PROC_EVENT_EXIT = 0x8000_0000;

/** The longest message the connector sends is shorter. */
export const EVENT_MAX_BYTES = 256;

const NLMSG_DONE = 3;
const CN_IDX_PROC = 1;
const CN_VAL_PROC = 1;
const PROC_CN_MCAST_LISTEN = 1;
const NL_HEADER = 16;
const CN_HEADER = 20;
const AT = NL_HEADER + CN_HEADER;

/**
 * Asks for events. Without a mask every kernel understands it and answers with an event NONE, which also ends a
 * read that blocks on the socket. With a mask (Linux 6.6 and later; older ones ignore the message) the kernel
 * sends these events only.
 */
export function listenMessage(mask?: number): Buffer {
  const body = mask === undefined ? 4 : 8;
  const message = Buffer.alloc(AT + body);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(NLMSG_DONE, 4);
  message.writeUInt32LE(CN_IDX_PROC, NL_HEADER);
  message.writeUInt32LE(CN_VAL_PROC, NL_HEADER + 4);
  message.writeUInt16LE(body, NL_HEADER + 16);
  message.writeUInt32LE(PROC_CN_MCAST_LISTEN, AT);
  if (mask !== undefined) message.writeUInt32LE(mask, AT + 4);
  return message;
}

export type ProcEvent =
  /** The answer to a listen message; `error` is an errno, 0 for none. */
  | { readonly what: 'answer'; readonly error: number }
  | { readonly what: 'fork'; readonly parent: number; readonly child: number; readonly atMs: number }
  | { readonly what: 'exec'; readonly pid: number; readonly atMs: number }
  /** One thread ended; `leader`: the first one, after which the process usually is no more. */
  | { readonly what: 'exit'; readonly pid: number; readonly leader: boolean; readonly atMs: number };

/** null: an event of another kind, or a new thread. `atMs` is CLOCK_MONOTONIC. */
export function parseEvent(bytes: Buffer, length: number): ProcEvent | null {
  if (length < AT + 24) return null;
  switch (bytes.readUInt32LE(AT)) {
    case PROC_EVENT_EXEC:
      return { what: 'exec', pid: bytes.readInt32LE(AT + 20), atMs: stampMs(bytes) };
    case PROC_EVENT_EXIT: {
      const pid = bytes.readInt32LE(AT + 20);
      return { what: 'exit', pid, leader: bytes.readInt32LE(AT + 16) === pid, atMs: stampMs(bytes) };
    }
    case PROC_EVENT_FORK: {
      const child = bytes.readInt32LE(AT + 28);
      if (bytes.readInt32LE(AT + 24) !== child) return null;
      return { what: 'fork', parent: bytes.readInt32LE(AT + 20), child, atMs: stampMs(bytes) };
    }
    case PROC_EVENT_NONE:
      return { what: 'answer', error: bytes.readUInt32LE(AT + 16) };
    default:
      return null;
  }
}

function stampMs(bytes: Buffer): number {
  return (bytes.readUInt32LE(AT + 8) + bytes.readUInt32LE(AT + 12) * 0x1_0000_0000) / 1e6;
}
