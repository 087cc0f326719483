/**
 * The store and the server in a process of their own, which appends at a pace and says what each append took.
 * `delivery-host fill FOLDER COUNT` leaves a log of so many events behind, `… sessions FOLDER COUNT` so many sessions
 * that nobody has confirmed; `… probe FOLDER` says what one append and one page cost on the log; `… serve FOLDER`
 * serves, and appends when its parent asks.
 */
import { bootId } from '../../src/app/boot-id.ts';
import type { EventBody, SessionData } from '../../src/protocol/events.ts';
import { monotonicMs } from '../../src/runtime/clock.ts';
import { openStore } from '../../src/store/open.ts';
import { pause } from '../harness/bench.ts';
import { summarize } from '../report/samples.ts';
import { benchClock, benchServer, TOKEN } from './bench-server.ts';

/** What the parent asks for, and the answer. */
export interface Pace {
  readonly perSecond: number;
  readonly seconds: number;
}
export interface Paced {
  /** What each append took, µs. */
  readonly appendUs: readonly number[];
  /** Appended in all. */
  readonly count: number;
}
/** Medians of the calmest round. */
export interface Probed {
  readonly appendUs: number;
  readonly pageMs: number;
}

const BATCH = 500;
const PAGE = 256;
/** A probe's rounds, with pauses in between: what else the machine does lasts for seconds. */
const PROBE_ROUNDS = 10;
const PROBE_PAUSE_MS = 100;
const PROBE_APPENDS = 200;
const PROBE_PAGES = 10;
/** In one go, before the server has its turn. */
const BURST_MAX = 50;

const [mode, dir = '', count = '0'] = process.argv.slice(2);
const store = openStore({ dir, clock: benchClock, bootId: await bootId() });

switch (mode) {
  case 'fill':
    for (let left = Number(count); left > 0; left -= BATCH) {
      store.log.append(Array.from({ length: Math.min(BATCH, left) }, event));
    }
    await store.close();
    console.log('filled');
    break;
  case 'sessions':
    for (let i = 0; i < Number(count); i += BATCH) {
      const sessions = Array.from({ length: Math.min(BATCH, Number(count) - i) }, (_, j) => session(i + j));
      store.ledger.apply({ usage: [], sessions, state: {} });
    }
    await store.close();
    console.log('filled');
    break;
  case 'probe':
    console.log(JSON.stringify(await probe()));
    await store.close();
    break;
  case 'serve': {
    const server = await benchServer(store);
    process.on('message', async (pace: Pace) => process.send?.(await append(pace)));
    process.once('SIGTERM', async () => {
      await server.stop();
      await store.close();
      process.exit(0);
    });
    console.log(`${server.port} ${TOKEN}`);
    break;
  }
  default:
    process.exit(64);
}

/** As long as the start of a game is; it carries the moment at which it was made. */
function event(): EventBody {
  const message =
    'An event of the bench, padded to the length of the start of a game with its child and its account.';
  return { type: 'agent_event', event_type: 'agent_recovered', data: { message, made_ms: monotonicMs() } };
}

/** One of ten minutes, every quarter of an hour back from now. */
function session(index: number): SessionData {
  const endMs = Date.now() - index * 15 * 60_000;
  const startMs = endMs - 10 * 60_000;
  return {
    session_id: `default_child_${startMs}`,
    child_profile: 'default_child',
    game: 'roblox',
    time_start: new Date(startMs).toISOString(),
    time_end: new Date(endMs).toISOString(),
    duration_seconds: 600,
    duration_minutes: 10,
    is_active: false,
    used_minutes_today: 10,
    remaining_minutes: null,
    limited_by: null,
    gaps: [],
    end_reason: 'stopped',
  };
}

function timedAppend(): number {
  const body = event();
  const begun = process.hrtime.bigint();
  store.log.append([body]);
  return Number(process.hrtime.bigint() - begun) / 1_000;
}

/** One event after another, each in a transaction of its own as the agent does it. */
function append({ perSecond, seconds }: Pace): Promise<Paced> {
  const total = perSecond * seconds;
  const begun = monotonicMs();
  const appendUs: number[] = [];
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, ((monotonicMs() - begun) / 1_000) * perSecond);
      for (let burst = 0; appendUs.length < due && burst < BURST_MAX; burst++) appendUs.push(timedAppend());
      if (appendUs.length < total) return;
      clearInterval(timer);
      resolve({ appendUs, count: total });
    }, 1);
  });
}

async function probe(): Promise<Probed> {
  const appendUs: number[] = [];
  const pageMs: number[] = [];
  const { epoch, firstOffset, lastOffset } = store.log.ends();
  for (let round = 0; round < PROBE_ROUNDS; round++) {
    await pause(PROBE_PAUSE_MS);
    appendUs.push(summarize(Array.from({ length: PROBE_APPENDS }, timedAppend)).p50);
    const pages: number[] = [];
    for (let i = 0; i < PROBE_PAGES; i++) {
      // Evenly over the whole log, so that its far end is read too; no two rounds begin a page at the same event.
      const part = (i + round / PROBE_ROUNDS) / PROBE_PAGES;
      const offset = Math.floor(firstOffset + part * (lastOffset - firstOffset - PAGE));
      const begun = monotonicMs();
      store.log.read({ epoch, offset }, PAGE);
      pages.push(monotonicMs() - begun);
    }
    pageMs.push(summarize(pages).p50);
  }
  return { appendUs: Math.min(...appendUs), pageMs: Math.min(...pageMs) };
}
