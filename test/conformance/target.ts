/**
 * The agent under test: one that somebody else runs (`npm run conformance -- --url … --token-file …`, see run.mjs),
 * or the built one, started for the file. Everything else in this folder sees only a URL and two tokens; what needs
 * more (a restart, a game of a known name) is skipped where it is not to be had.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, uniqueGameName } from '../helpers/game.ts';
import { type HttpRequest, type HttpResponse, http } from '../helpers/http.ts';

const {
  PLAYWARDEN_TEST_URL,
  PLAYWARDEN_TEST_TOKEN_FILE,
  PLAYWARDEN_TEST_VIEW_TOKEN_FILE,
  PLAYWARDEN_TEST_GAME,
} = process.env;

/** True when the agent is not ours to restart or to fill up. */
export const EXTERNAL = PLAYWARDEN_TEST_URL !== undefined;
/** True when game processes can be started that the agent knows. */
export const HAS_GAME = !EXTERNAL || PLAYWARDEN_TEST_GAME !== undefined;

export class Target {
  url = '';
  control = '';
  view = '';
  game = '';
  #agent: Agent | null = null;

  /** Ours only: the process, to restart and to kill. */
  get agent(): Agent {
    if (!this.#agent) throw new Error('this case needs an agent of its own');
    return this.#agent;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async open(config: object): Promise<void> {
    if (EXTERNAL) {
      this.url = PLAYWARDEN_TEST_URL ?? '';
      this.control = readFileSync(PLAYWARDEN_TEST_TOKEN_FILE ?? '', 'utf8').trim();
      this.view = PLAYWARDEN_TEST_VIEW_TOKEN_FILE
        ? readFileSync(PLAYWARDEN_TEST_VIEW_TOKEN_FILE, 'utf8').trim()
        : this.control;
      this.game = PLAYWARDEN_TEST_GAME ?? '';
      return;
    }
    this.game = uniqueGameName();
    this.#agent = await startAgent({ config: gameConfig(this.game, config) });
    this.#look();
  }

  async restart(signal?: NodeJS.Signals): Promise<void> {
    await this.agent.restart(signal);
    this.#look();
  }

  async close(): Promise<void> {
    await this.#agent?.dispose();
  }

  /** A request with the control token, unless told otherwise. */
  http(path: string, more: Partial<HttpRequest> = {}): Promise<HttpResponse> {
    return http({ url: this.url, token: this.control, path, ...more });
  }

  #look(): void {
    this.url = this.agent.url;
    this.control = this.agent.token('control');
    this.view = this.agent.token('view');
  }
}

/** One agent for the whole test file. `config` is laid over a configuration with the test's own game. */
export function useTarget(config: object = {}): Target {
  const target = new Target();
  beforeAll(() => target.open(config));
  afterAll(() => target.close());
  return target;
}
