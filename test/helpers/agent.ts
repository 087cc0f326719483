/**
 * A real agent as a child process: `node dist/cli.js run --port 0` on a data directory of its own, awaited by its
 * ready line (contract C2). `dispose` ends it and removes what it wrote; a test run that dies takes it along.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const READY_TIMEOUT_MS = 45_000;
const STOP_TIMEOUT_MS = 20_000;

export interface AgentOptions {
  /** Written to a file and given as `--config`. */
  readonly config?: object;
  /** Kept by `dispose`; left out: a temporary one. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** What runs the command line, for wrappers like `faketime`; left out: this Node. */
  readonly command?: readonly string[];
}

export interface AgentJson {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly agent_id: string;
  readonly started_at: string;
  readonly epoch: string;
  readonly token_file: string;
  readonly view_token_file: string;
  readonly source: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts an agent and waits until it serves. Rejects with its exit code and stderr when it does not. */
export async function startAgent(options: AgentOptions = {}): Promise<Agent> {
  const agent = new Agent(options);
  try {
    await agent.start();
  } catch (error) {
    await agent.dispose();
    throw error;
  }
  return agent;
}

export class Agent {
  readonly dataDir: string;
  readonly configFile: string;
  /** Everything it wrote, over all its lives. */
  stdout = '';
  stderr = '';
  readonly #options: AgentOptions;
  readonly #root: string;
  #child: ChildProcess | null = null;
  #exit: Promise<Exit> | null = null;
  #port = 0;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#root = mkdtempSync(join(tmpdir(), 'playwarden-test-'));
    this.dataDir = options.dataDir ?? join(this.#root, 'data');
    this.configFile = join(this.#root, 'config.json');
    if (options.config) this.writeConfig(options.config);
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Of the process that was started; with a wrapper in `command` the agent's own is in `json().pid`. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Settles when the process of this life has ended. */
  get exited(): Promise<Exit> {
    return this.#exit ?? Promise.resolve({ code: null, signal: null });
  }

  json(): AgentJson {
    return JSON.parse(readFileSync(join(this.dataDir, 'agent.json'), 'utf8'));
  }

  token(kind: 'view' | 'control'): string {
    return readFileSync(join(this.dataDir, `${kind}.token`), 'utf8').trim();
  }

  writeConfig(config: object): void {
    writeFileSync(this.configFile, JSON.stringify(config));
  }

  /** A new life on the same data directory; on another port unless `args` fix it. */
  async start(): Promise<void> {
    const { config, env = {}, args = [], command = [process.execPath] } = this.#options;
    const [file = process.execPath, ...head] = command;
    const child = spawn(
      file,
      [
        ...head,
        CLI,
        'run',
        '--port',
        '0',
        '--data-dir',
        this.dataDir,
        ...(config ? ['--config', this.configFile] : []),
        ...args,
      ],
      { env: { ...cleanEnv(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    children.add(child);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.#exit = new Promise((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    void this.#exit.then(() => children.delete(child));
    await this.#ready(child);
    this.#port = this.json().port;
  }

  /** Sends a signal and, when it is one that ends, waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.#child?.kill(signal);
    return this.exited;
  }

  /** Sends a signal and goes on. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** SIGTERM; the exit code, null when it had to be killed. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return (await this.exited).code;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const { code } = await this.exited;
    clearTimeout(timer);
    return code;
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (signal === 'SIGTERM') await this.stop();
    else await this.kill(signal);
    await this.start();
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }

  #ready(child: ChildProcess): Promise<void> {
    const from = this.stdout.length;
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`the agent ${why}\n${this.stderr.slice(-4_000)}`));
      const timer = setTimeout(() => fail(`was not ready in ${READY_TIMEOUT_MS} ms`), READY_TIMEOUT_MS);
      const look = () => {
        if (!/^playwarden ready \S+.*\n/m.test(this.stdout.slice(from))) return;
        clearTimeout(timer);
        child.stdout?.off('data', look);
        resolve();
      };
      child.stdout?.on('data', look);
      void this.exited.then(({ code, signal }) => {
        clearTimeout(timer);
        fail(`ended with ${code ?? signal} before it was ready`);
      });
    });
  }
}

/** The caller's own agent, if there is one, must not leak into a test's. */
function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('PLAYWARDEN_')));
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
