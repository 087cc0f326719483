/** The built agent with settings for a bench: a game of the bench's own, no limits, everything else as it comes. */
import { type Agent, startAgent } from '../../test/helpers/agent.ts';
import { type Bench, NotHere } from './bench.ts';
import type { Server } from './clients.ts';

export interface BenchAgent extends Server {
  readonly pid: number;
  readonly source: string;
  readonly agent: Agent;
}

export interface BenchAgentOptions {
  /** The executable's name of the one game. */
  readonly game: string;
  readonly source: 'proc-events' | 'procfs' | 'ps-list';
  readonly dataDir?: string;
  /** Put over the settings of a bench. */
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it; the bench ends it. Throws when it runs on another source than the one to be measured. */
export async function benchAgent(
  bench: Bench,
  { game, source, config: more, ...options }: BenchAgentOptions,
): Promise<BenchAgent> {
  const config = {
    games: [{ id: 'roblox', name: 'Roblox', match: [{ name: game }] }],
    profiles: { default_child: { daily_limit_minutes: null } },
    detection: { source },
    ...more,
  };
  const agent = await startAgent({ config, ...options });
  bench.owns(agent, () => agent.dispose());
  if (agent.json().source !== source)
    throw new NotHere(`${source} does not work here: ${agent.json().source} does`);
  return { pid: agent.pid, port: agent.port, token: agent.token('control'), source, agent };
}
