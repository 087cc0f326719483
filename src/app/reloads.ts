/**
 * What came of the reloads of this run (contract C4): `agent.configuration` of `/desktop/status`. A refusal stays a
 * reason of `health` until a good reload, since the next start would end with that file. Pure.
 */
import type { ConfigurationStatus } from '../protocol/http-answers.ts';

type Refusal = NonNullable<ConfigurationStatus['refused']>;

export interface Reloads {
  /** The file was read and holds. Returns what is to be called when it is in force everywhere. */
  taken(notReloaded: readonly string[]): () => void;
  refused(why: Refusal): void;
  /** Why the agent calls itself degraded; null: the last reload was not refused. */
  trouble(): string | null;
  status(): ConfigurationStatus;
}

export function createReloads(): Reloads {
  let reloads = 0;
  let underWay = 0;
  let notReloaded: readonly string[] = [];
  let refused: Refusal | null = null;
  return {
    taken(fixed) {
      reloads += 1;
      underWay += 1;
      notReloaded = fixed;
      refused = null;
      return () => {
        underWay -= 1;
      };
    },
    refused(why) {
      reloads += 1;
      refused = why;
    },
    trouble() {
      if (refused === null) return null;
      return `The configuration in ${refused.file} was refused at the last reload: the last good one stays in force, but no agent could start with it.`;
    },
    status: () => ({ reloads, reloading: underWay > 0, not_reloaded: [...notReloaded], refused }),
  };
}
