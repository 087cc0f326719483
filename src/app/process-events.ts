/** The events about processes: `roblox_*` for Roblox, `game_*` for every other game (contract section 6). Pure. */
import type { Config } from '../protocol/config.ts';
import type { EventBody } from '../protocol/events.ts';
import type { ToldProcess } from '../protocol/ports.ts';

const ROBLOX = 'roblox';

export function startedEvent(told: ToldProcess, games: Config['games']): EventBody {
  const { process, child, startedAt, found } = told;
  const process_info = {
    pid: process.pid,
    name: process.name,
    started_at: startedAt,
    user: process.user,
    ...(found && { found }),
  };
  const data = { process_info, child_profile: child };
  return process.game === ROBLOX
    ? { type: 'roblox_event', event_type: 'roblox_started', data }
    : {
        type: 'game_event',
        event_type: 'game_started',
        data: { game: gameRef(process.game, games), ...data },
      };
}

/**
 * A stop, told as `…_auto_closed` when the agent closed it for a limit or a pause, else as `…_stopped`; one that
 * a command closed says so (contract E1). `endedAt` null: nobody saw the moment.
 */
export function stoppedEvent(told: ToldProcess, endedAt: string | null, games: Config['games']): EventBody {
  const { process, child, startedAt, found, closing, why } = told;
  const process_info = {
    pid: process.pid,
    name: process.name,
    started_at: startedAt,
    ended_at: endedAt,
    user: process.user,
    ...(found && { found }),
  };
  const data = {
    process_info,
    child_profile: child,
    ...(closing && { reason: closing }),
    ...(why && { why }),
  };
  const auto = closing === 'limit' || closing === 'pause';
  return process.game === ROBLOX
    ? { type: 'roblox_event', event_type: auto ? 'roblox_auto_closed' : 'roblox_stopped', data }
    : {
        type: 'game_event',
        event_type: auto ? 'game_auto_closed' : 'game_stopped',
        data: { game: gameRef(process.game, games), ...data },
      };
}

function gameRef(id: string, games: Config['games']): { id: string; name: string } {
  return { id, name: games.find((g) => g.id === id)?.name ?? id };
}
