/**
 * The kernel's own time stamps of exec and exit, from a socket of the bench's. Nothing waits on it, so it wakes
 * nobody while something is measured: what has come is taken afterwards.
 */
import { type EventSocket, openEventSocket } from '../../src/actors/scanner/event-socket.ts';
import { PROC_EVENT_EXEC, PROC_EVENT_EXIT, PROC_EVENT_FORK } from '../../src/actors/scanner/netlink.ts';
import { message, NotHere } from './bench.ts';

/** Stamps in ms on the monotonic clock. A pid can come round again: in a storm within seconds. */
export class StampsByPid {
  readonly #stamps = new Map<number, number[]>();

  add(pid: number, atMs: number): void {
    const stamps = this.#stamps.get(pid);
    if (stamps) stamps.push(atMs);
    else this.#stamps.set(pid, [atMs]);
  }

  /** The last one of that pid that is not after `atMs`. */
  before(pid: number, atMs: number): number | undefined {
    return this.#stamps.get(pid)?.findLast((stamp) => stamp <= atMs);
  }
}

export class KernelStamps {
  readonly exec = new StampsByPid();
  readonly exit = new StampsByPid();
  execs = 0;
  /** Of every kind, threads included. */
  events = 0;
  lost = 0;
  readonly #socket: EventSocket;

  /** Throws `NotHere` where the kernel has no process connector. `forks`: they are counted too. */
  constructor({ forks = false } = {}) {
    try {
      this.#socket = openEventSocket();
      this.#socket.listen();
    } catch (error) {
      throw new NotHere(`no process events: ${message(error)}`);
    }
    this.#socket.listen((PROC_EVENT_EXEC | PROC_EVENT_EXIT | (forks ? PROC_EVENT_FORK : 0)) >>> 0);
  }

  /** Takes what has come. To be called often enough that some 10,000 events do not overflow. */
  drain(): void {
    for (;;) {
      const received = this.#socket.take();
      if (received.kind === 'overflow') {
        this.lost += 1;
        continue;
      }
      if (received.kind !== 'event') return;
      this.events += 1;
      if (received.event?.what === 'exec') {
        this.execs += 1;
        this.exec.add(received.event.pid, received.event.atMs);
      } else if (received.event?.what === 'exit' && received.event.leader) {
        this.exit.add(received.event.pid, received.event.atMs);
      }
    }
  }

  close(): void {
    this.#socket.close();
  }
}
