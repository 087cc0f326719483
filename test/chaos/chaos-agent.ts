/** The agent under chaos as its parent holds it: built from the sources, started, ordered about, killed, started again. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { LoadLimit } from '../../src/app/load-rule.ts';
import type { Answer, Holdings, Order } from './agent-under-chaos.ts';
import type { FaultOrder } from './faults.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const here = (file: string) => fileURLToPath(new URL(`./${file}`, import.meta.url));
/** Packages that the product's bundle holds itself; all others stay outside of it. */
const BUNDLED = new Set(['zod', 'comlink', 'temporal-polyfill']);
const READY_TIMEOUT_MS = 60_000;

const ANSWER_TIMEOUT_MS = 60_000;

/** A line of the agent's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export class ChaosAgent {
  readonly log: LogLine[] = [];
  port = 0;
  readonly #config: object;
  readonly #loadLimits: readonly LoadLimit[] | null;
  #root = '';
  #bundle = '';
  #child: ChildProcess | null = null;
  readonly #watchers = new Set<(line: LogLine) => void>();

  /** `loadLimits` null: the agent's own. */
  constructor(config: object, loadLimits: readonly LoadLimit[] | null = null) {
    this.#config = config;
    this.#loadLimits = loadLimits;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  token(kind: 'view' | 'control'): string {
    return readFileSync(join(this.#root, 'data', `${kind}.token`), 'utf8').trim();
  }

  /** Starts it, or starts it again; settles at its ready line. */
  async start(): Promise<void> {
    if (this.#bundle === '') await this.#prepare();
    const args = [
      join(this.#root, 'data'),
      join(this.#root, 'config.json'),
      JSON.stringify(this.#loadLimits),
    ];
    const child = fork(join(this.#bundle, 'agent-under-chaos.js'), args, {
      execArgv: ['--expose-gc'],
      // As the service runs it: else what malloc keeps for threads that are gone hides what the agent keeps.
      env: { ...process.env, MALLOC_ARENA_MAX: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    lives.add(child);
    child.once('exit', () => lives.delete(child));
    if (!child.stdout || !child.stderr) throw new Error('no pipes');
    createInterface(child.stderr).on('line', (text) => this.#logged(text));
    const lines = createInterface(child.stdout);
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the agent ended with ${code ?? signal} before it was ready`);
    });
    const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
    const [ready] = (await Promise.race([once(lines, 'line', { signal: timeout }), ended])) as [string];
    ended.catch(() => {});
    this.port = Number(/:(\d+) /.exec(ready)?.[1]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it by a signal; its exit code, null when the signal ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const ended = this.ended();
    this.signal(signal);
    return (await ended).code;
  }

  /** Settles when this life of it has ended, by itself or not. */
  async ended(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
    const child = this.#child;
    if (!child) return { code: null, signal: null };
    if (child.exitCode !== null || child.signalCode !== null)
      return { code: child.exitCode, signal: child.signalCode };
    const [code, signal] = await once(child, 'exit');
    return { code, signal };
  }

  /** Settles when the thread says that it does so now; rejects when none has by then. */
  async fault(order: FaultOrder, cancelled?: AbortSignal): Promise<void> {
    const isIt = (answer: Answer) => 'committed' in answer && answer.committed.actor === order.actor;
    await this.#ask(order, isIt, cancelled);
  }

  async measure(): Promise<Holdings> {
    return (await this.#ask('measure', (answer) => 'heapBytes' in answer)) as Holdings;
  }

  async #ask(
    order: Order,
    fits: (answer: Answer) => boolean,
    signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  ): Promise<Answer> {
    const child = this.#child;
    if (!child) throw new Error('it does not run');
    child.send(order);
    for (;;) {
      const [answer] = (await once(child, 'message', { signal })) as [Answer];
      if (fits(answer)) return answer;
    }
  }

  /** The next line of its log that fits. */
  logs(fits: (line: LogLine) => boolean, timeoutMs: number): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(new Error(`not logged within ${timeoutMs} ms; last: ${JSON.stringify(this.log.slice(-3))}`));
      }, timeoutMs);
      const watch = (line: LogLine) => {
        if (!fits(line)) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(line);
      };
      this.#watchers.add(watch);
    });
  }

  async dispose(): Promise<void> {
    this.signal('SIGCONT');
    await this.end('SIGKILL');
    for (const made of [this.#root, this.#bundle]) if (made) rmSync(made, { recursive: true, force: true });
  }

  /** Not before the first start: a test that is skipped makes no files. */
  async #prepare(): Promise<void> {
    this.#root = mkdtempSync(join(tmpdir(), 'playwarden-chaos-'));
    writeFileSync(join(this.#root, 'config.json'), JSON.stringify(this.#config));
    this.#bundle = await bundle();
  }

  #logged(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text);
    } catch {
      line = { msg: text };
    }
    this.log.push(line);
    for (const watch of [...this.#watchers]) watch(line);
  }
}

/** In dist/, where its packages are found. */
async function bundle(): Promise<string> {
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  const outdir = mkdtempSync(join(ROOT, 'dist', 'chaos-'));
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  await build({
    entryPoints: ['agent-under-chaos.ts', 'scanner.worker.ts', 'session.worker.ts', 'executor.worker.ts'].map(
      here,
    ),
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
    external: Object.keys(dependencies).filter((name) => !BUNDLED.has(name)),
  });
  return outdir;
}

const lives = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of lives) child.kill('SIGKILL');
});
