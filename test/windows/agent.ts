/** The whole agent under Wine, seen from Linux: on a data directory of its own on drive C, awaited by its ready line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AgentJson } from '../helpers/agent.ts';
import { DRIVE_C } from './setup.ts';
import { type Ended, startWine, type WineProgram } from './wine.ts';

export class WineAgent {
  readonly #root = mkdtempSync(join(DRIVE_C, 'agent-'));
  /** The same as Windows names it. */
  readonly #windowsRoot = `C:\\${basename(this.#root)}`;
  readonly dataDir = join(this.#root, 'data');
  #program: WineProgram | null = null;
  /** From the start of the program to the ready line, ms. */
  readyMs = 0;

  constructor(config: object) {
    writeFileSync(join(this.#root, 'config.json'), JSON.stringify(config));
  }

  get url(): string {
    return `http://127.0.0.1:${this.json().port}`;
  }

  /** The running program. */
  get program(): WineProgram {
    if (!this.#program) throw new Error('the agent was not started');
    return this.#program;
  }

  json(): AgentJson {
    return JSON.parse(readFileSync(join(this.dataDir, 'agent.json'), 'utf8'));
  }

  token(kind: 'view' | 'control'): string {
    return readFileSync(join(this.dataDir, `${kind}.token`), 'utf8').trim();
  }

  /** The arguments that run an agent on this data directory, or on one beside it. */
  arguments({ port = 0, folder = 'data' } = {}): string[] {
    const root = this.#windowsRoot;
    const files = ['--data-dir', `${root}\\${folder}`, '--config', `${root}\\config.json`];
    return ['dist/cli.js', 'run', '--port', String(port), ...files];
  }

  /** The ready line of a new life on the same data directory. */
  async start(): Promise<string> {
    await this.#program?.dispose();
    const startedMs = performance.now();
    this.#program = startWine(this.arguments());
    const line = await this.#program.line((text) => text.startsWith('playwarden ready'));
    this.readyMs = performance.now() - startedMs;
    return line;
  }

  async kill(): Promise<Ended> {
    return this.program.kill();
  }

  async dispose(): Promise<void> {
    await this.#program?.dispose();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
