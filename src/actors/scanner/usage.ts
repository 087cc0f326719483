/**
 * What tracked games use, asked of pidusage when somebody wants to know. pidusage keeps its history by bare pid,
 * so the history is dropped when a pid has changed hands.
 */
import { createRequire } from 'node:module';
import type { ProcessIdentity, ScannerCalls } from '../../protocol/messages.ts';

export type UsageReader = (tracked: readonly ProcessIdentity[]) => ReturnType<ScannerCalls['usage']>;

/** The part of pidusage that is used. */
export interface PidUsage {
  (pid: number): Promise<{ readonly cpu: number; readonly memory: number }>;
  clear(): void;
}

export function usageReader(load: () => PidUsage = loadPidUsage): UsageReader {
  let asked = new Map<number, string>();
  return async (tracked) => {
    if (tracked.length === 0) return [];
    const pidusage = load();
    const reused = tracked.some(({ pid, startKey }) => (asked.get(pid) ?? startKey) !== startKey);
    if (reused) pidusage.clear();
    asked = new Map(tracked.map(({ pid, startKey }) => [pid, startKey]));
    const answers = await Promise.allSettled(tracked.map(({ pid }) => pidusage(pid)));
    return answers.flatMap((answer, index) => {
      const pid = tracked[index]?.pid;
      // One that has ended meanwhile uses nothing.
      if (answer.status === 'rejected' || pid === undefined) return [];
      return [{ pid, cpuPercent: answer.value.cpu, rssBytes: answer.value.memory }];
    });
  };
}

/** Loaded on the first question only. */
function loadPidUsage(): PidUsage {
  return createRequire(import.meta.url)('pidusage') as PidUsage;
}
