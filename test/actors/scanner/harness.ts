/**
 * A scanner in the test's own process, over real sources or given ones, that remembers what it posts; and games:
 * copies of one small C program under names that no other test uses.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sourceFactories } from '../../../src/actors/scanner/platform.ts';
import { startScanner } from '../../../src/actors/scanner/scanner.ts';
import type { SourceFactories } from '../../../src/actors/scanner/source.ts';
import { usageReader } from '../../../src/actors/scanner/usage.ts';
import type { GameConfig, SourceName } from '../../../src/protocol/config.ts';
import type { FromScanner, GameProcess, ScannerCalls, ToScanner } from '../../../src/protocol/messages.ts';
import type { Actor } from '../../../src/runtime/actor.ts';
import { type RuntimeClock, systemClock } from '../../../src/runtime/clock.ts';

const PROGRAM = `
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <sys/wait.h>
static void nap(const char *ms) { usleep(atoi(ms) * 1000); }
static void *napper(void *ms) { nap(ms); return 0; }
/* nap MS · fork MS: with a child that does not exec · orphan MS: the child outlives it ·
   exec MS FILE ARGS…: becomes FILE · detach MS: the first thread ends, another goes on */
int main(int c, char **v) {
  if (c > 2 && !strcmp(v[1], "nap")) nap(v[2]);
  if (c > 2 && !strcmp(v[1], "fork")) { pid_t p = fork(); nap(v[2]); if (!p) _exit(0); waitpid(p, 0, 0); }
  if (c > 2 && !strcmp(v[1], "orphan")) { if (!fork()) { nap(v[2]); nap(v[2]); } else nap(v[2]); _exit(0); }
  if (c > 3 && !strcmp(v[1], "exec")) { nap(v[2]); execv(v[3], v + 3); return 127; }
  if (c > 2 && !strcmp(v[1], "detach")) { pthread_t t; pthread_create(&t, 0, napper, v[2]); pthread_exit(0); }
  return 0;
}
`;

export const BOOT_ID = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

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

  spawn(path: string, args: readonly string[], argv0?: string): ChildProcess & { pid: number } {
    const child = spawn(path, args, { stdio: 'ignore', ...(argv0 === undefined ? {} : { argv0 }) });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    if (child.pid === undefined) throw new Error(`${path} did not start`);
    return child as ChildProcess & { pid: number };
  }

  /** Ends what was started and still runs. */
  async end(): Promise<void> {
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

export interface WatchOptions {
  readonly games: readonly GameConfig[];
  readonly source?: 'auto' | SourceName;
  readonly clock?: RuntimeClock;
  readonly factories?: SourceFactories;
  readonly reconcileSeconds?: number;
  readonly platform?: NodeJS.Platform;
}

/** A running scanner and what it has said. */
export class Watch {
  readonly messages: FromScanner[] = [];
  worked = 0;
  #wake: () => void = () => {};
  #actor: Actor<ToScanner, ScannerCalls> | null = null;

  static async start(options: WatchOptions): Promise<Watch> {
    const watch = new Watch();
    watch.#actor = await startScanner({
      host: {
        init: { bootId: BOOT_ID, config: watch.config(options) },
        post: (message) => {
          watch.messages.push(message);
          watch.#wake();
        },
        worked: () => {
          watch.worked += 1;
        },
      },
      clock: options.clock ?? systemClock,
      platform: options.platform ?? 'linux',
      factories: options.factories ?? sourceFactories(() => {}),
      usage: usageReader(),
    });
    return watch;
  }

  config({ games, source = 'auto', reconcileSeconds = 5 }: WatchOptions) {
    return { games, detection: { source, poll_interval_ms: 20, reconcile_seconds: reconcileSeconds } };
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
