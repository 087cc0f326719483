/**
 * The socket of Linux's process connector. koffi makes and binds it, and reads what waits without blocking; while nothing
 * waits it is watched by Node's own event loop, so that an event wakes the thread itself and no other. Node watches
 * pipes and sockets of the kinds it knows, not netlink: it is given a pipe, in whose place the socket is put before the
 * loop first looks (dup3(2)). libuv only polls and reads what is there, and one read is one message (netlink(7)).
 */
import { readlinkSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { EVENT_MAX_BYTES, listenMessage, type ProcEvent, parseEvent } from './netlink.ts';

const AF_NETLINK = 16;
const SOCK_DGRAM = 2;
/** O_NONBLOCK and O_CLOEXEC, for pipes and (as SOCK_…) for sockets. */
const NONBLOCK = 0o4000;
const CLOEXEC = 0o2000000;
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
  /** Asks for all events, or for those of the mask. Throws when the kernel has no connector here. */
  listen(mask?: number): void;
  /** One message if there is one; never blocks. */
  take(): Received;
  /** From now on tells each message that finds nobody taking; once. After an overflow it goes on. */
  watch(tell: (received: Received) => void): void;
  close(): void;
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  recv(fd: number, buffer: Buffer, length: number, flags: number): number;
  pipe2(ends: Int32Array, flags: number): number;
  dup3(from: number, to: number, flags: number): number;
  /** Node warns when it is asked to close what it has not opened. */
  close(fd: number): number;
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
  const taken = Buffer.alloc(EVENT_MAX_BYTES);
  let fd = connector();
  /** What was asked for last: a socket that takes the place of another asks for the same. */
  let asked = listenMessage();
  let watched: Socket | null = null;

  function connector(): number {
    const made = libc.socket(AF_NETLINK, SOCK_DGRAM | NONBLOCK | CLOEXEC, NETLINK_CONNECTOR);
    if (made < 0) throw new Error(`no process connector: socket failed with errno ${koffi.errno()}`);
    const size = Buffer.alloc(4);
    size.writeInt32LE(bufferBytes);
    for (const option of [SO_RCVBUF, SO_RCVBUFFORCE]) libc.setsockopt(made, SOL_SOCKET, option, size, 4);
    // sockaddr_nl; port id 0 lets the kernel choose one that is free.
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    address.writeUInt32LE(CN_IDX_PROC, 8);
    if (libc.bind(made, address, address.length) < 0) {
      const reason = koffi.errno() === errno.EPERM ? 'it needs CAP_NET_ADMIN' : `errno ${koffi.errno()}`;
      libc.close(made);
      throw new Error(`no process connector: bind failed, ${reason}`);
    }
    return made;
  }

  /** Hands the socket over to Node, which closes it with the thread, however that ends. */
  function watchBy(tell: (received: Received) => void): Socket {
    const ends = new Int32Array(2);
    if (libc.pipe2(ends, NONBLOCK | CLOEXEC) < 0) throw new Error(`pipe2: errno ${koffi.errno()}`);
    const [end = -1, other = -1] = ends;
    const onread = {
      buffer: Buffer.alloc(EVENT_MAX_BYTES),
      callback(length: number, bytes: Uint8Array) {
        tell({ kind: 'event', event: parseEvent(bytes as Buffer, length) });
        return true;
      },
    };
    const options: SocketConstructorOpts & ConnectOpts = { fd: end, readable: true, writable: false, onread };
    const socket = new Socket(options);
    libc.dup3(fd, end, CLOEXEC);
    for (const spare of [fd, other]) libc.close(spare);
    fd = end;
    socket.once('error', (error: NodeJS.ErrnoException) => failed(error, tell));
    return socket;
  }

  /** Node closes a socket at its first error; of an overflow it is the message. */
  function failed(error: NodeJS.ErrnoException, tell: (received: Received) => void): void {
    if (error.code !== 'ENOBUFS') {
      tell({ kind: 'failed', reason: error.message });
      return;
    }
    try {
      fd = connector();
      watched = null;
      writeSync(fd, asked);
      watched = watchBy(tell);
    } catch (thrown) {
      tell({ kind: 'failed', reason: thrown instanceof Error ? thrown.message : String(thrown) });
      return;
    }
    tell({ kind: 'overflow' });
  }

  return {
    listen(mask) {
      asked = listenMessage(mask);
      writeSync(fd, asked);
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
    watch(tell) {
      watched = watchBy(tell);
    },
    close() {
      if (watched) watched.destroy();
      else libc.close(fd);
    },
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
    pipe2: lib.func('int pipe2(_Out_ int *ends, int flags)'),
    dup3: lib.func('int dup3(int from, int to, int flags)'),
    close: lib.func('int close(int fd)'),
  };
}
