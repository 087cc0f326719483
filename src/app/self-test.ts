/**
 * The self-test game within the agent: the scanner looks for it beside the configured games, and the router closes
 * it on sight. It belongs to no child, so that nothing is counted and no session is kept.
 */
import type { GameConfig } from '../protocol/config.ts';
import type { GameProcess } from '../protocol/messages.ts';
import { SELF_TEST_ID, selfTestGame } from '../protocol/self-test.ts';

/** The configuration as the scanner gets it; a configured game of the same process comes first. */
export function withSelfTest<C extends { readonly games: readonly GameConfig[] }>(
  config: C,
  agentId: string,
): C {
  return { ...config, games: [...config.games, selfTestGame(agentId)] };
}

export function isSelfTest(process: GameProcess): boolean {
  return process.game === SELF_TEST_ID;
}
