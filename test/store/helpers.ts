/** What the store's tests share: directories, events, a store on a clock that stands still, and child processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach } from 'vitest';
import type { AgentEvent, EventBody, SessionData } from '../../src/protocol/events.ts';
import { UserError } from '../../src/protocol/exit-codes.ts';
import type { Store } from '../../src/protocol/ports.ts';
import type { Gap, LogEntry, Position } from '../../src/protocol/position.ts';
import { openStore, type StoreOptions } from '../../src/store/open.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

/** A directory that goes with the test file. */
export function tempDirs(): () => string {
  const made: string[] = [];
  afterAll(() => {
    for (const dir of made) rmSync(dir, { recursive: true, force: true });
  });
  return () => {
    const dir = mkdtempSync(join(tmpdir(), 'playwarden-store-'));
    made.push(dir);
    return dir;
  };
}

/** Opens stores with a small reserve and closes what a test left open. */
export function stores(): (dir: string, options?: Partial<StoreOptions>) => Store & { clock: FakeClock } {
  const open = new Set<Store>();
  afterEach(async () => {
    for (const store of open) {
      await store.close().catch((error: unknown) => {
        // A disk that refused the end is for the test that made it.
        if (!(error instanceof UserError)) throw error;
      });
    }
    open.clear();
  });
  return (dir, options = {}) => {
    const clock = (options.clock as FakeClock | undefined) ?? new FakeClock();
    const store = openStore({ dir, bootId: 'boot-1', reserveBytes: 256 * 1024, ...options, clock });
    open.add(store);
    return Object.assign(store, { clock });
  };
}

export function notification(n: number): EventBody {
  return { type: 'notification', data: { title: `n${n}`, message: 'm', type: 'message' } };
}

export function started(n: number, padding = ''): EventBody {
  return {
    type: 'roblox_event',
    event_type: 'roblox_started',
    data: {
      process_info: {
        pid: n,
        name: `RobloxPlayerBeta.exe${padding}`,
        started_at: '2026-01-15T16:00:00.000Z',
      },
      child_profile: 'default_child',
    },
  };
}

/** A session that runs. */
export function session(id: string, more: Partial<SessionData> = {}): SessionData {
  return {
    session_id: id,
    child_profile: 'kid',
    game: 'roblox',
    time_start: '2026-01-15T16:00:00.000Z',
    time_end: null,
    duration_seconds: 0,
    duration_minutes: 0,
    is_active: true,
    used_minutes_today: 0,
    remaining_minutes: null,
    limited_by: null,
    gaps: [],
    ...more,
  };
}

export const ended = (id: string, time_end = '2026-01-15T17:00:00.000Z') =>
  session(id, { is_active: false, time_end });

export const many = (count: number, from = 1): EventBody[] =>
  Array.from({ length: count }, (_, i) => started(from + i));

/** Everything a reader is given from a position on. */
export function readAll(store: Store, from: Position, limit = 500): { entries: LogEntry[]; gaps: Gap[] } {
  const entries: LogEntry[] = [];
  const gaps: Gap[] = [];
  for (let at = from; ; ) {
    const page = store.log.read(at, limit);
    if (page.gap) gaps.push(page.gap);
    entries.push(...page.entries);
    at = page.next;
    if (!page.hasMore) return { entries, gaps };
  }
}

export const corruptFiles = (dir: string): string[] =>
  readdirSync(dir).filter((f) => f.includes('.corrupt-'));

/** What fixtures/run.ts tells when it has opened its store. */
export interface RunStart {
  readonly epoch: string;
  readonly findings: readonly AgentEvent[];
  readonly agentId: string;
  readonly events: readonly { epoch: string; offset: number; id: string }[];
  readonly gaps: readonly Gap[];
  readonly openMs: number;
}

export interface Run {
  readonly start: RunStart;
  /** Offsets as they are appended, of the epoch in `start`. */
  readonly appended: number[];
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

export interface RunOptions {
  readonly dir: string;
  readonly bootId?: string;
  readonly append?: number;
  /** `kill`: kill -9 once everything is on the disk; `clean`: closes; `prune`: to 100 events, then closes; `stay`: appends until it is killed. */
  readonly end: 'kill' | 'clean' | 'prune' | 'stay';
}

/** Runs a store in a process of its own, which is the only way to kill one. */
export function runner(): (options: RunOptions) => Promise<Run> {
  let bundle: Promise<string> | null = null;
  const children = new Set<ChildProcess>();
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    if (bundle) rmSync(await bundle, { force: true });
  });
  return async ({ dir, bootId = 'boot-1', append = 0, end }) => {
    bundle ??= bundled();
    const child = spawn(process.execPath, [await bundle, dir, bootId, String(append), end], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    void ended.then(() => children.delete(child));
    const appended: number[] = [];
    const start = await new Promise<RunStart>((resolve, reject) => {
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => {
        if (line.startsWith('{')) resolve(JSON.parse(line));
        else appended.push(Number(line));
      });
      void ended.then(() => reject(new Error('the store of the child process did not open')));
    });
    if (end !== 'stay') await ended;
    return { start, appended, child, ended };
  };
}

async function bundled(): Promise<string> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const outfile = join(root, `node_modules/.cache/playwarden/store-run-${process.pid}.mjs`);
  await build({
    entryPoints: [join(root, 'test/store/fixtures/run.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['libsql'],
    outfile,
  });
  return outfile;
}
