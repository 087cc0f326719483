/**
 * The game that is none: a process of this name is detected, told as a `game_event` without a child, closed at once
 * and told again. It counts for nobody; `playwarden doctor` starts one to see that all of it works. Each agent has a
 * name of its own for it, which it says as `agent.self_test` in its status: one that runs beside it leaves it alone.
 */
import type { GameConfig } from './config.ts';

export const SELF_TEST_ID = 'playwarden-self-test';

/** The name of the executable that is started for this agent, without the `.exe` of Windows. */
export function selfTestName(agentId: string): string {
  return `playwarden-test-${agentId.slice(0, 8)}`;
}

export function selfTestGame(agentId: string): GameConfig {
  const name = selfTestName(agentId);
  return {
    id: SELF_TEST_ID,
    name: 'Playwarden self-test',
    match: [{ name }, { name: `${name}.exe` }],
    ignore: [],
  };
}
