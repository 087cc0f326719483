/** What goes on around the agent while faults happen: games come and go, clients too, commands arrive. */
import { randomUUID } from 'node:crypto';
import { type GameOptions, startGame } from '../helpers/game.ts';
import { type HttpResponse, http } from '../helpers/http.ts';
import { openRaw, openReliable, type RawClient } from '../helpers/ws-client.ts';
import type { ChaosAgent } from './chaos-agent.ts';
import type { AnsweredCommand, Play } from './oracle.ts';

/** A child whose games nobody here plays: its extensions are counted. */
export const SIBLING = 'sibling';
const RETRY_MS = 150;
const POLL_MS = 20;
const COMMAND_PATIENCE_MS = 120_000;
/** The ways in which a client comes (contract section 5 and D8). */
const VISITS = ['reliable', 'simple', 'poll'] as const;

export class Crowd {
  readonly plays: Play[] = [];
  readonly commands: AnsweredCommand[] = [];
  readonly visits = { reliable: 0, simple: 0, poll: 0 };
  readonly #agent: ChaosAgent;
  readonly #game: string;
  readonly #random: () => number;
  #going = true;
  #visitors = 0;
  readonly #loops: Promise<void>[];

  constructor(agent: ChaosAgent, game: string, random: () => number) {
    this.#agent = agent;
    this.#game = game;
    this.#random = random;
    this.#loops = [
      this.#loop(() => this.#play()),
      this.#loop(() => this.#command()),
      this.#loop(() => this.#visit()),
    ];
  }

  /** Settles when the last game has ended, the last command is answered. */
  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
  }

  /**
   * A game that must be forced is closed by command, again and again until it is gone; `midway` is to happen once, while
   * the executor is at it. How long it took from there, ms.
   */
  async closeOne(midway: (tooLate: AbortSignal) => Promise<void>): Promise<number> {
    for (;;) {
      const play = await this.#started({ stubborn: true });
      let over = false;
      const tooLate = new AbortController();
      const ended = play.ended.then(() => {
        over = true;
        tooLate.abort();
      });
      const closing = (async () => {
        while (!over) await this.#post({ command: 'force_close', child_profile: 'default_child' });
      })();
      while (!over && !(await this.#executorIsBusy())) await pause(POLL_MS);
      const hasHappened = await midway(tooLate.signal).then(
        () => true,
        () => false,
      );
      const from = performance.now();
      await ended;
      const tookMs = performance.now() - from;
      await closing;
      this.plays.push(await play.over());
      // Else it came too late to meet the executor at work.
      if (hasHappened) return tookMs;
    }
  }

  async #loop(once: () => Promise<void>): Promise<void> {
    while (this.#going) await once();
  }

  /** A play of one or two processes, ended by itself or by command, and a rest that is longer than a rejoin. */
  async #play(): Promise<void> {
    const first = this.#process(this.#between(300, 4_000));
    if (this.#random() < 0.3) {
      await pause(this.#between(0, 200));
      await this.#process(this.#between(300, 4_000));
    }
    await first;
    await pause(this.#between(3_500, 5_000));
  }

  async #process(ms: number): Promise<void> {
    const play = await this.#started();
    await pause(ms);
    const askedMs = Date.now();
    if (this.#random() < 0.2) await this.#post({ command: 'force_close', child_profile: 'default_child' });
    await play.stop();
    this.plays.push(await play.over(askedMs));
  }

  /** A game with the moments between which it has started and, by whoever's command, ended. */
  async #started(options: GameOptions = {}) {
    const beforeMs = Date.now();
    const game = await startGame(this.#game, options);
    const startMs = [beforeMs, Date.now()] as const;
    const ended = game.exited.then(() => Date.now());
    /** `askedMs`: when we asked it to end, and it can have been from there on. */
    const over = async (askedMs = Number.POSITIVE_INFINITY): Promise<Play> => {
      const endMs = await ended;
      return { pid: game.pid, startMs, endMs: [Math.min(askedMs, endMs), endMs] };
    };
    return { ended, over, stop: () => game.stop() };
  }

  async #executorIsBusy(): Promise<boolean> {
    const { url } = this.#agent;
    const { json } = await http({ url, token: this.#agent.token('view'), path: '/desktop/status' });
    return json.agent.actors.executor.running > 0;
  }

  /** A command with an id, sent until it is answered. */
  async #command(): Promise<void> {
    const command = this.#random() < 0.5 ? 'send_notification' : 'extend_time';
    const commandId = randomUUID();
    const title = `chaos ${commandId}`;
    const parameters = command === 'extend_time' ? { minutes: 1 } : { title, message: 'from chaos' };
    const answer = await this.#post({ command, command_id: commandId, child_profile: SIBLING, parameters });
    this.commands.push({ commandId, command, title, succeeded: answer.json.status === 'success' });
    await pause(this.#between(200, 800));
  }

  /** A client comes by the next of the ways, reads a little or nothing, and goes politely or not. */
  async #visit(): Promise<void> {
    const kind = VISITS[this.#visitors % VISITS.length] ?? 'poll';
    this.#visitors += 1;
    try {
      await this.#visitBy(kind);
      this.visits[kind] += 1;
    } catch {
      // The agent is down at the moment: a client comes again.
      await pause(RETRY_MS);
    }
    await pause(this.#between(20, 200));
  }

  async #visitBy(kind: (typeof VISITS)[number]): Promise<void> {
    const { url } = this.#agent;
    const token = this.#agent.token('view');
    const path = `?client_id=${kind}-${Math.floor(this.#random() * 2)}`;
    if (kind === 'poll') {
      await http({ url, token, path: `/desktop/events/poll${path}&wait=1`, timeoutMs: 3_000 });
    } else if (kind === 'simple') {
      await this.#leave(await openRaw({ url, token, path: `/${path}` }));
    } else {
      const client = await openReliable({ url, token, clientId: path.slice(path.indexOf('=') + 1) });
      await pause(this.#between(20, 1_500));
      const last = client.events.at(-1)?.meta;
      if (last && client.isOpen) client.send({ type: 'ack', epoch: last.epoch, offset: last.offset });
      await this.#leave(client);
    }
  }

  async #leave(client: RawClient): Promise<void> {
    await pause(this.#between(20, 500));
    if (this.#random() < 0.5) client.terminate();
    else await Promise.race([client.close(), pause(1_000)]);
  }

  async #post(body: object): Promise<HttpResponse> {
    const deadline = Date.now() + COMMAND_PATIENCE_MS;
    for (;;) {
      try {
        const { url } = this.#agent;
        const token = this.#agent.token('control');
        const answer = await http({ url, token, path: '/desktop/command', body, timeoutMs: 10_000 });
        if (answer.status === 200) return answer;
        if (answer.status < 429) throw new Error(`a command was answered ${answer.status} ${answer.text}`);
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
      await pause(RETRY_MS);
    }
  }

  /** From `least` to `most`. */
  #between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
