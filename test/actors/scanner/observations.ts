/** What sources can see, made of a few words: for the tests of what the scanner decides. */
import type { Look, LookCause, Observation } from '../../../src/actors/scanner/behavior.ts';

interface Given {
  readonly key?: string;
  readonly execution?: string;
  readonly game?: string;
  readonly command?: string;
  readonly path?: string;
  readonly parent?: number;
}

export function game(
  pid: number,
  {
    key = 'k1',
    game: id = 'roblox',
    command = 'play',
    parent = 1,
    path = '/games/RobloxPlayerBeta.exe',
    execution,
  }: Given = {},
): Look {
  const process = {
    pid,
    startKey: key,
    game: id,
    name: 'RobloxPlayerBeta.exe',
    path,
    command,
    user: 'kid',
    startedAwakeMs: 10,
    ...(execution !== undefined && { execution }),
  };
  return { is: 'game', sighting: { process, parentPid: parent } };
}

export const other = (key: string | null = null, execution: string | null = null): Look => ({
  is: 'other',
  startKey: key,
  execution,
});
export const gone: Look = { is: 'gone' };
export const unreadable: Look = { is: 'unreadable' };

export const exec = (pid: number, look: Look, atMs = 100): Observation => ({ type: 'exec', pid, atMs, look });
export const exit = (pid: number, atMs = 200, successor: string | null = null): Observation => ({
  type: 'exit',
  pid,
  atMs,
  successor,
});
export const fork = (parent: number, child: number, atMs = 150): Observation => ({
  type: 'fork',
  parent,
  child,
  atMs,
});
export const looks = (
  seen: Record<number, Look>,
  cause: LookCause = 'watch',
  atMs: number | null = 300,
  complete = false,
): Observation => ({
  type: 'looks',
  cause,
  atMs,
  complete,
  looks: new Map(Object.entries(seen).map(([pid, look]) => [Number(pid), look])),
});
