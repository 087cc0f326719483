/** What main says to the session actor of processes: in its words, and in a crowd as one message. */
import type {
  GameProcess,
  HeardBySession,
  PlayedProcess,
  ProcessIdentity,
  ToSession,
} from '../protocol/messages.ts';
import type { EndedProcess, ToldProcess } from '../protocol/ports.ts';

type Stopped = Extract<HeardBySession, { type: 'process.stopped' }>;

export class SessionPost {
  readonly #postToSession: (message: ToSession) => void;
  /** What is to go as one message; null: each goes by itself. */
  #collected: HeardBySession[] | null = null;

  constructor(postToSession: (message: ToSession) => void) {
    this.#postToSession = postToSession;
  }

  started({ process, child }: ToldProcess, found: boolean): void {
    this.#post({ type: 'process.started', process: asPlayed(process), child, found });
  }

  stopped({ pid, startKey }: ProcessIdentity, endedAwakeMs: number | null, by: Stopped['by'] | null): void {
    const identity = { pid, startKey };
    this.#post({ type: 'process.stopped', identity, endedAwakeMs, ...(by && { by }) });
  }

  /** A whole play, of which the session actor may not even know the start. */
  played({ process, child, endedAwakeMs, closing: by }: EndedProcess): void {
    this.#post({
      type: 'process.played',
      process: asPlayed(process),
      child,
      endedAwakeMs,
      ...(by && { by }),
    });
  }

  /** All that runs; `looks`: somebody sees what starts from here on. */
  snapshot(running: readonly ToldProcess[], atAwakeMs: number, looks: boolean): void {
    const processes = running.map(({ process, child }) => ({ process: asPlayed(process), child }));
    this.#post({ type: 'processes.snapshot', processes, atAwakeMs, ...(!looks && { blind: true }) });
  }

  /** What `work` says goes as one message: of a crowd it is more than the mailbox holds. */
  together(work: () => void): void {
    const messages: HeardBySession[] = [];
    this.#collected = messages;
    try {
      work();
    } finally {
      this.#collected = null;
      const [first, ...more] = messages;
      if (first) this.#postToSession(more.length > 0 ? { type: 'several', messages } : first);
    }
  }

  #post(message: HeardBySession): void {
    if (this.#collected) this.#collected.push(message);
    else this.#postToSession(message);
  }
}

/** The path and the command line may be long, and are nothing to the session actor. */
function asPlayed({ pid, startKey, game, name, startedAwakeMs }: GameProcess): PlayedProcess {
  return { pid, startKey, game, name, startedAwakeMs };
}
