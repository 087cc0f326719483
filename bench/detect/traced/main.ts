/**
 * The agent's hot path from its own parts (scanner thread, session thread, router, store, server), with a stamp between
 * each two of them: for the breakdown of a latency without a stamp in the product. `traced GAME FOLDER`; the traces go
 * to the parent when it asks for them. No supervisor: it is not on the path.
 */
import { createAgentClock } from '../../../src/app/agent-clock.ts';
import { bootId } from '../../../src/app/boot-id.ts';
import { createRouter } from '../../../src/app/router.ts';
import { DEFAULT_CONFIG } from '../../../src/protocol/config.ts';
import type {
  FromSession,
  ScannerCalls,
  ScannerInit,
  SessionCalls,
  SessionInit,
  ToScanner,
  ToSession,
} from '../../../src/protocol/messages.ts';
import { monotonicMs, systemClock } from '../../../src/runtime/clock.ts';
import { spawnActor } from '../../../src/runtime/handle.ts';
import { openStore } from '../../../src/store/open.ts';
import { benchServer, TOKEN } from '../../delivery/bench-server.ts';
import type { Stamped } from './scanner.worker.ts';

/** All ms on the monotonic clock. */
export interface Trace {
  readonly kind: 'start' | 'stop';
  readonly pid: number;
  readonly postedMs: number;
  readonly heardMs: number;
  /** The append's transaction is over; its listeners begin. */
  readonly loggedMs: number;
  /** The server's listener has returned; the socket was written to before that. */
  readonly sentMs: number;
}

const [game = '', dir = ''] = process.argv.slice(2);
const clock = createAgentClock();
const boot = await bootId();
const store = openStore({ dir, clock, bootId: boot });
const config = {
  ...DEFAULT_CONFIG,
  games: [{ id: 'roblox', name: 'Roblox', match: [{ name: game }], ignore: [] }],
};
const router = createRouter({
  store,
  clock,
  bootId: boot,
  config: () => config,
  postToSession: (message) => session.handle.post(message),
  close: () => Promise.reject(new Error('nothing is closed here')),
  presence: () => 'unknown',
  log: { info: () => {}, warn: () => {} },
});

const traces: Trace[] = [];
let [loggedMs, sentMs] = [0, 0];
// Listeners are called in the order they came: this one before the server's, the other after it.
store.log.onAppend(() => {
  loggedMs = monotonicMs();
});
const server = await benchServer(store);
store.log.onAppend(() => {
  sentMs = monotonicMs();
});

const session = spawnActor<SessionInit, ToSession, FromSession, SessionCalls>({
  id: 'session',
  file: new URL('../../dist/session.worker.js', import.meta.url),
  init: { config, ledger: store.ledger.load() },
  incarnation: 1,
  readyTimeoutMs: 10_000,
  clock: systemClock,
  onMessage: (message) => router.fromSession(message),
});
await session.ready;

const scanner = spawnActor<ScannerInit, ToScanner, Stamped, ScannerCalls>({
  id: 'scanner',
  file: new URL('./traced.worker.js', import.meta.url),
  init: { config, bootId: boot },
  incarnation: 1,
  readyTimeoutMs: 10_000,
  clock: systemClock,
  onMessage({ message, postedMs }) {
    const heardMs = monotonicMs();
    router.fromScanner(message);
    // A stop that waits for the session actor is not told in here: it has no trace.
    if (loggedMs < heardMs) return;
    if (message.type === 'process.started') {
      traces.push({ kind: 'start', pid: message.process.pid, postedMs, heardMs, loggedMs, sentMs });
    } else if (message.type === 'process.stopped') {
      traces.push({ kind: 'stop', pid: message.identity.pid, postedMs, heardMs, loggedMs, sentMs });
    }
  },
});
await scanner.ready;

process.on('message', () => process.send?.(traces));
process.once('SIGTERM', async () => {
  await scanner.stop(1_000);
  await session.stop(1_000);
  await server.stop();
  await store.close();
  process.exit(0);
});
console.log(`${server.port} ${TOKEN}`);
