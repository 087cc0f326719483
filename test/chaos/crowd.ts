/** What goes on around the agent while faults happen: games come and go, clients too, commands arrive. */
import { randomUUID } from 'node:crypto';
import { startGame } from '../helpers/game.ts';
import { type HttpResponse, http } from '../helpers/http.ts';
import { openReliable } from '../helpers/ws-client.ts';
import type { ChaosAgent } from './chaos-agent.ts';
import type { AnsweredCommand, Play } from './oracle.ts';

/** A child whose games nobody here plays: its extensions are counted. */
export const SIBLING = 'sibling';
const RETRY_MS = 150;
const COMMAND_PATIENCE_MS = 30_000;

export class Crowd {
  readonly plays: Play[] = [];
  readonly commands: AnsweredCommand[] = [];
  visits = 0;
  readonly #agent: ChaosAgent;
  readonly #game: string;
  readonly #random: () => number;
  #going = true;
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

  /** A game that is closed by command as soon as it is seen; how long that took from its start, ms. */
  async closeOne(): Promise<number> {
    const startMs = Date.now();
    const game = await startGame(this.#game);
    let over = false;
    const ended = game.exited.then(() => {
      over = true;
      return Date.now();
    });
    while (!over) await this.#post({ command: 'force_close', child_profile: 'default_child' });
    const endMs = await ended;
    this.plays.push({ pid: game.pid, startMs, endMs });
    return endMs - startMs;
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
    const startMs = Date.now();
    const game = await startGame(this.#game);
    const ended = game.exited.then(() => Date.now());
    await pause(ms);
    if (this.#random() < 0.2) await this.#post({ command: 'force_close', child_profile: 'default_child' });
    await game.stop();
    this.plays.push({ pid: game.pid, startMs, endMs: await ended });
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

  /** A client comes, reads a little or nothing, and goes politely or not. */
  async #visit(): Promise<void> {
    const { url } = this.#agent;
    const clientId = `visitor-${Math.floor(this.#random() * 3)}`;
    try {
      const token = this.#agent.token('view');
      if (this.#random() < 0.3) {
        await http({
          url,
          token,
          path: `/desktop/events/poll?client_id=${clientId}&wait=1`,
          timeoutMs: 3_000,
        });
      } else {
        const client = await openReliable({ url, token, clientId });
        await pause(this.#between(20, 1_500));
        const last = client.events.at(-1)?.meta;
        if (last && client.isOpen) client.send({ type: 'ack', epoch: last.epoch, offset: last.offset });
        if (this.#random() < 0.5) client.terminate();
        else await Promise.race([client.close(), pause(1_000)]);
      }
      this.visits += 1;
    } catch {
      // The agent is down at the moment: a client comes again.
      await pause(RETRY_MS);
    }
    await pause(this.#between(20, 200));
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
