/**
 * Programs under Wine, from the outside: started in `C:\playwarden`, their output in files (a pipe as standard
 * output is nothing that Windows' Node can open there), awaited line by line.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APP, wineEnv } from './setup.ts';

const LOOK_EVERY_MS = 20;
/** Many times what any of this takes on a slow machine, and less than the time-out of a test. */
const PATIENCE_MS = 100_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts `node.exe ARGS`; a program that ends in `.exe` is started itself. */
export function startWine(args: readonly string[]): WineProgram {
  return new WineProgram(args[0]?.endsWith('.exe') ? args : ['node.exe', ...args]);
}

export class WineProgram {
  readonly exited: Promise<Ended>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'playwarden-wine-'));
  readonly #out = join(this.#folder, 'out');
  readonly #err = join(this.#folder, 'err');
  readonly #kill: (signal: NodeJS.Signals) => boolean;
  #ended: Ended | null = null;

  constructor(args: readonly string[]) {
    const files = [openSync(this.#out, 'w'), openSync(this.#err, 'w')] as const;
    const child = spawn('wine', args, { cwd: APP, env: wineEnv, stdio: ['ignore', ...files] });
    for (const file of files) closeSync(file);
    this.#kill = (signal) => child.kill(signal);
    this.exited = new Promise((resolve) => {
      const end = (ended: Ended) => {
        this.#ended = ended;
        resolve(ended);
      };
      child.once('exit', (code, signal) => end({ code, signal }));
      child.once('error', () => end({ code: null, signal: null }));
    });
  }

  get stdout(): string {
    return readFileSync(this.#out, 'utf8');
  }

  get stderr(): string {
    return readFileSync(this.#err, 'utf8');
  }

  /** The first whole line of standard output that fits. Rejects when the program ends, or in time, without one. */
  line(fits: (line: string) => boolean, timeoutMs = PATIENCE_MS): Promise<string> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearInterval(looking);
        clearTimeout(timer);
        act();
      };
      const look = () => {
        const found = this.stdout.split('\n').slice(0, -1).find(fits);
        if (found !== undefined) return settle(() => resolve(found));
        if (this.#ended) fail(`ended with ${this.#ended.code ?? this.#ended.signal}`);
      };
      const fail = (why: string) =>
        settle(() => reject(new Error(`${why}\n${this.stdout.slice(-2_000)}\n${this.stderr.slice(-4_000)}`)));
      const timer = setTimeout(() => fail(`no such line in ${timeoutMs} ms`), timeoutMs);
      const looking = setInterval(look, LOOK_EVERY_MS);
      void this.exited.then(look);
    });
  }

  /** The facts that a probe tells of a scenario. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into facts whose shape is what they check
  async facts(scenario: string): Promise<any> {
    const line = await this.line((text) => text.startsWith(`{"scenario":"${scenario}"`));
    const facts = JSON.parse(line);
    if (facts.error) throw new Error(facts.error);
    return facts;
  }

  /** Ends it at once, as TerminateProcess would. */
  async kill(): Promise<Ended> {
    this.#kill('SIGKILL');
    return this.exited;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Brings a console event to a process of Windows: as if Ctrl-Break was pressed, or its console closed. */
export async function press(pid: number, event: 'break' | 'close'): Promise<void> {
  const program = startWine(['press.exe', String(pid), event === 'break' ? '1' : '2']);
  const { code } = await program.exited;
  await program.dispose();
  if (code !== 0) throw new Error(`press.exe ended with ${code}`);
}

/** Middle and worst of some latencies, for the line that a test prints. */
export function spread(ms: readonly number[]): string {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, max ${at(1)} ms over ${ms.length}`;
}
