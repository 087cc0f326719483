/**
 * The game that is none: a process of this name is detected, told as a `game_event` without a child, closed at once
 * and told again. It counts for nobody; `playwarden doctor` starts one to see that all of it works. An agent that
 * knows it says so as `agent.self_test` in its status.
 */
import type { GameConfig } from './config.ts';

/** The name of the executable that is started. */
export const SELF_TEST_NAME = 'playwarden-test';

export const SELF_TEST_GAME: GameConfig = {
  id: 'playwarden-self-test',
  name: 'Playwarden self-test',
  match: [{ name: SELF_TEST_NAME }, { name: `${SELF_TEST_NAME}.exe` }],
  ignore: [],
};
