/**
 * The socket of Linux's process connector. koffi makes and binds it and reads without blocking; the one read that
 * blocks is Node's own `fs.read`, on a thread of the pool, which a listen message wakes. koffi can also poll in the
 * thread's own loop, which saves a hop of 0.1 ms; but a thread that is killed then takes the process with it (koffi 3.3.4
 * calls into an environment that is ending).
 */
import { close, read, readlinkSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { EVENT_MAX_BYTES, listenMessage, type ProcEvent, parseEvent } from './netlink.ts';

const AF_NETLINK = 16;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const NETLINK_CONNECTOR = 11;
const CN_IDX_PROC = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;

/** The machine's own pid namespace has a fixed number (PROC_PID_INIT_INO in the kernel's proc_ns.h). */
const MACHINE_PIDS = 'pid:[4026531836]';

/** Room for some 10,000 events: a storm of half a second while the thread is busy. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

/** What one look at the socket gave. */
export type Received =
  | { readonly kind: 'event'; readonly event: ProcEvent | null }
  | { readonly kind: 'empty' }
  /** ENOBUFS: the kernel dropped events. */
  | { readonly kind: 'overflow' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface EventSocket {
  readonly fd: number;
  /** Asks for all events, or for those of the mask; wakes `next`. Throws when the kernel has no connector here. */
  listen(mask?: number): void;
  /** One message if there is one; never blocks. */
  take(): Received;
  /** Waits for one message. One at a time. */
  next(then: (received: Received) => void): void;
  close(): void;
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  recv(fd: number, buffer: Buffer, length: number, flags: number): number;
}

/** Throws an Error that says in words why this machine has no process events. */
export function openEventSocket(bufferBytes = RECEIVE_BUFFER_BYTES): EventSocket {
  // A container that shares the machine's network hears the machine's events, and takes their pids for its own.
  if (readlinkSync('/proc/self/ns/pid') !== MACHINE_PIDS) {
    throw new Error('no process connector: it speaks of the pids of the machine, and this is a container');
  }
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const errno = koffi.os.errno;
  const libc = bindLibc(koffi);

  const fd = libc.socket(AF_NETLINK, SOCK_DGRAM_CLOEXEC, NETLINK_CONNECTOR);
  if (fd < 0) throw new Error(`no process connector: socket failed with errno ${koffi.errno()}`);
  const size = Buffer.alloc(4);
  size.writeInt32LE(bufferBytes);
  for (const option of [SO_RCVBUF, SO_RCVBUFFORCE]) libc.setsockopt(fd, SOL_SOCKET, option, size, 4);
  // sockaddr_nl; port id 0 lets the kernel choose one that is free.
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(CN_IDX_PROC, 8);
  if (libc.bind(fd, address, address.length) < 0) {
    const reason = koffi.errno() === errno.EPERM ? 'it needs CAP_NET_ADMIN' : `errno ${koffi.errno()}`;
    close(fd, () => {});
    throw new Error(`no process connector: bind failed, ${reason}`);
  }

  const taken = Buffer.alloc(EVENT_MAX_BYTES);
  const awaited = Buffer.alloc(EVENT_MAX_BYTES);
  return {
    fd,
    listen(mask) {
      writeSync(fd, listenMessage(mask));
    },
    take() {
      const length = libc.recv(fd, taken, taken.length, MSG_DONTWAIT);
      if (length >= 0) return { kind: 'event', event: parseEvent(taken, length) };
      const code = koffi.errno();
      if (code === errno.EAGAIN || code === errno.EINTR) return { kind: 'empty' };
      return code === errno.ENOBUFS
        ? { kind: 'overflow' }
        : { kind: 'failed', reason: `recv: errno ${code}` };
    },
    next(then) {
      read(fd, awaited, 0, awaited.length, null, (error, length) => {
        if (!error) then({ kind: 'event', event: parseEvent(awaited, length) });
        else if (error.code === 'ENOBUFS') then({ kind: 'overflow' });
        else if (error.code === 'EINTR' || error.code === 'EAGAIN') then({ kind: 'empty' });
        else then({ kind: 'failed', reason: error.message });
      });
    },
    close: () => close(fd, () => {}),
  };
}

function bindLibc(koffi: typeof import('koffi')): Libc {
  // null: the symbols of this process, whichever libc it is linked to.
  const lib = koffi.load(null);
  return {
    socket: lib.func('int socket(int domain, int type, int protocol)'),
    bind: lib.func('int bind(int fd, void *address, uint32_t length)'),
    setsockopt: lib.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)'),
    recv: lib.func('long recv(int fd, void *buffer, size_t length, int flags)'),
  };
}
