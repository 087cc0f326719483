/**
 * A scanner in the test's own process, over real sources or given ones, that remembers what it posts; and games:
 * copies of one small C program under names that no other test uses.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import psList from 'ps-list';
import { expect } from 'vitest';
import { type EventSocket, openEventSocket } from '../../../src/actors/scanner/event-socket.ts';
import { compileRules } from '../../../src/actors/scanner/matcher.ts';
import { sourceFactories } from '../../../src/actors/scanner/platform.ts';
import { startScanner } from '../../../src/actors/scanner/scanner.ts';
import type { SourceFactories } from '../../../src/actors/scanner/source.ts';
import { usageReader } from '../../../src/actors/scanner/usage.ts';
import { joinedCommandLine } from '../../../src/protocol/command-line.ts';
import type { GameConfig, SourceName } from '../../../src/protocol/config.ts';
import type {
  ClockPair,
  FromScanner,
  GameProcess,
  ScannerCalls,
  ScannerConfig,
  ToScanner,
} from '../../../src/protocol/messages.ts';
import type { Actor } from '../../../src/runtime/actor.ts';
import { type PollingClock, systemClock } from '../../../src/runtime/clock.ts';

const PROGRAM = `
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void hold(void) { char c; while (read(0, &c, 1) > 0); }
static void *holder(void *none) { hold(); return none; }
static int is(char **v, int c, const char *word) { return c > 1 && !strcmp(v[1], word); }
/* nap MS. All else lasts until its standard input ends: hold · fork: with a child that does not exec ·
   orphan: that child outlives it and ends by a signal only · exec FILE ARGS: then becomes FILE ·
   detach: its first thread ends at once, another holds. launch FILE ARGS: starts FILE and ends at once.
   relay N: hands on to a fork every 40 ms and ends, N times. */
int main(int c, char **v) {
  if (is(v, c, "nap")) usleep(atoi(v[2]) * 1000);
  if (is(v, c, "hold")) hold();
  if (is(v, c, "fork")) { pid_t p = fork(); if (!p) pause(); hold(); kill(p, SIGKILL); waitpid(p, 0, 0); }
  if (is(v, c, "orphan")) { if (!fork()) pause(); hold(); }
  if (is(v, c, "exec")) { hold(); execv(v[2], v + 2); return 127; }
  if (is(v, c, "relay")) for (int i = atoi(v[2]); i > 0; i--) { usleep(40000); if (fork()) return 0; }
  if (is(v, c, "launch") && !fork()) { execv(v[2], v + 2); return 127; }
  if (is(v, c, "detach")) { pthread_t t; pthread_create(&t, 0, holder, 0); pthread_exit(0); }
  return 0;
}
`;

export const BOOT_ID = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

/** Whether the kernel tells of processes here: not in most containers, nor to everybody before Linux 6.6. */
export const hasConnector = await kernelAnswers();

async function kernelAnswers(): Promise<boolean> {
  let socket: EventSocket | null = null;
  try {
    socket = openEventSocket();
    socket.listen();
    const until = systemClock.monotonic() + 1_000;
    while (systemClock.monotonic() < until) {
      const received = socket.take();
      if (received.kind === 'event' && received.event?.what === 'answer') return received.event.error === 0;
      if (received.kind === 'empty') await setTimeout(5);
    }
  } catch {
    // Said below.
  } finally {
    socket?.close();
  }
  console.log('no process connector here: the tests that need it are skipped');
  return false;
}

export type GameChild = ChildProcess & { readonly pid: number; readonly stdin: Writable };

/** A folder with a compiled game program and copies of it; `close` removes it and ends what was started. */
export class Games {
  readonly dir = mkdtempSync(join(tmpdir(), 'pw-scanner-'));
  /** Unique to this run: no other test's process can match. */
  readonly tag = this.dir.slice(-6);
  readonly #children = new Set<ChildProcess>();

  constructor() {
    execFileSync('gcc', ['-O1', '-pthread', '-x', 'c', '-', '-o', join(this.dir, 'program')], {
      input: PROGRAM,
    });
  }

  /** `Player` → the name of that game's executable in this run. */
  name(role: string): string {
    return `PwTestGame-${this.tag}-${role}.exe`;
  }

  /** Makes the executable of this role, or a copy under any other name; returns its path. */
  copy(name: string): string {
    const path = join(this.dir, name);
    // Not over the old one, which may still run.
    rmSync(path, { force: true });
    copyFileSync(join(this.dir, 'program'), path);
    return path;
  }

  config(...roles: string[]): GameConfig {
    return {
      id: 'roblox',
      name: 'Roblox',
      match: roles.map((role) => ({ name: this.name(role) })),
      ignore: [],
    };
  }

  /** `stdin.end()` lets it go on or end. */
  spawn(path: string, args: readonly string[], argv0?: string): GameChild {
    const options = argv0 === undefined ? {} : { argv0 };
    const child = spawn(path, args, { stdio: ['pipe', 'ignore', 'ignore'], ...options });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    if (child.pid === undefined) throw new Error(`${path} did not start`);
    return Object.assign(child, { pid: child.pid });
  }

  /** Ends what was started and still runs, and what that has started: until nothing of it is left, for a relay may hand
      on between the list and the kill. */
  async end(): Promise<void> {
    for (;;) {
      const ours = (await psList()).filter(({ path }) => path?.startsWith(`${this.dir}/`));
      if (ours.length === 0) break;
      for (const { pid } of ours) kill(pid);
    }
    await Promise.all(
      [...this.#children].map(async (child) => {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }),
    );
  }

  async close(): Promise<void> {
    await this.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** It may have ended by itself. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {}
}

export interface WatchOptions {
  readonly games: readonly GameConfig[];
  readonly source?: 'auto' | SourceName;
  readonly clock?: PollingClock;
  readonly factories?: SourceFactories;
  readonly reconcileSeconds?: number;
  readonly platform?: NodeJS.Platform;
  /** What an earlier run told as running. */
  readonly told?: readonly GameProcess[];
  readonly lastClocks?: ClockPair;
}

/** A running scanner and what it has said. */
export class Watch {
  readonly messages: FromScanner[] = [];
  worked = 0;
  #config: ScannerConfig = {
    games: [],
    detection: { source: 'auto', poll_interval_ms: 20, reconcile_seconds: 5 },
  };
  #wake: () => void = () => {};
  #actor: Actor<ToScanner, ScannerCalls> | null = null;

  static async start(options: WatchOptions): Promise<Watch> {
    const watch = new Watch();
    watch.#actor = await startScanner({
      host: {
        init: {
          bootId: BOOT_ID,
          config: watch.config(options),
          told: options.told ?? [],
          lastClocks: options.lastClocks ?? null,
        },
        post: (message) => {
          watch.messages.push(message);
          watch.#wake();
        },
        beat: () => {},
        worked: () => {
          watch.worked += 1;
        },
      },
      clock: options.clock ?? systemClock,
      platform: options.platform ?? 'linux',
      factories: options.factories ?? sourceFactories(),
      usage: usageReader(),
    });
    return watch;
  }

  config({ games, source = 'auto', reconcileSeconds = 5 }: WatchOptions): ScannerConfig {
    const detection = { source, poll_interval_ms: 20, reconcile_seconds: reconcileSeconds };
    this.#config = { games, detection };
    return this.#config;
  }

  get calls(): ScannerCalls {
    if (!this.#actor) throw new Error('not started');
    return this.#actor.calls;
  }

  get snapshot(): readonly GameProcess[] {
    const [first] = this.messages;
    if (first?.type !== 'processes.snapshot') throw new Error('the first message is no snapshot');
    return first.processes;
  }

  /** Has everything looked at now. */
  async look(): Promise<void> {
    await this.calls.configure(this.#config);
  }

  /** The pids of the games that run by all that was told. */
  get running(): number[] {
    const pids = new Set(this.snapshot.map(({ pid }) => pid));
    for (const message of this.messages) {
      if (message.type === 'process.started') pids.add(message.process.pid);
      if (message.type === 'process.stopped') pids.delete(message.identity.pid);
    }
    return [...pids].sort();
  }

  /**
   * The pids of the games that run by what `ps` lists under the same rules. A child that runs the program and the
   * command line of its parent is part of it.
   */
  async listed(): Promise<number[]> {
    const rules = compileRules(this.#config.games);
    const list = (await psList()).filter(({ path, cmd = '' }) =>
      rules.match({ exe: path || null, ...joinedCommandLine(cmd) }),
    );
    const byPid = new Map(list.map((one) => [one.pid, one]));
    const games = list.filter(({ ppid, cmd }) => byPid.get(ppid)?.cmd !== cmd);
    return games.map(({ pid }) => pid).sort();
  }

  /** The oracle of every scenario: what was told is what is listed, as soon as all news are in; these, if given. */
  async agreesWithPs(expected?: readonly number[]): Promise<void> {
    const differ = async () => {
      const listed = await this.listed();
      const { running } = this;
      return isDeepStrictEqual(listed, expected ?? running) && isDeepStrictEqual(running, listed)
        ? null
        : { running, listed };
    };
    await expect.poll(differ, { timeout: 10_000 }).toBeNull();
    expect(this.calls.stats()).toMatchObject({ tracked: this.running.length });
  }

  /** What was told of one pid, as words: `started:NAME`, `stopped:HOW`, `changed`. */
  history(pid?: number): string[] {
    return this.messages.flatMap((message) => {
      switch (message.type) {
        case 'process.started':
          return pid === undefined || message.process.pid === pid ? [`started:${message.process.game}`] : [];
        case 'process.stopped':
          return pid === undefined || message.identity.pid === pid ? [`stopped:${message.how}`] : [];
        case 'process.changed':
          return pid === undefined || message.process.pid === pid ? ['changed'] : [];
        default:
          return [];
      }
    });
  }

  of<T extends FromScanner['type']>(type: T): Extract<FromScanner, { type: T }>[] {
    return this.messages.filter((m): m is Extract<FromScanner, { type: T }> => m.type === type);
  }

  /** Settles when the condition holds; looked at after each message. */
  async until(holds: () => boolean, withinMs = 15_000): Promise<void> {
    const deadline = AbortSignal.timeout(withinMs);
    while (!holds()) {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        const fail = () => {
          const last = JSON.stringify(this.messages.slice(-5), null, 1);
          reject(new Error(`told only ${this.messages.length} messages, the last of them ${last}`));
        };
        deadline.onabort = fail;
        if (deadline.aborted) fail();
      });
    }
  }

  async stop(): Promise<void> {
    await this.#actor?.stop();
    this.#actor = null;
  }
}
