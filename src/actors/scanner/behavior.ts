/**
 * What the scanner decides, pure: from what sources saw to what main is told. Identity is (pid, start). A process
 * that was forked from its tracked parent, or runs the same executable and command line as it, is part of it
 * (contract K4). Only a certain look ends anything: what could not be read changes nothing (E3), and a game goes on
 * under any name until it executes something else. Matching stands in matcher.ts.
 */
import { type Executing, isSameExecution } from '../../protocol/execution.ts';
import type { FromScanner, GameProcess, ProcessIdentity } from '../../protocol/messages.ts';

/** A process that the rules call a game, as it was read at one moment. */
export interface Sighting {
  readonly process: GameProcess;
  readonly parentPid: number;
}

/** By its name it is no game. `startKey` null: not read, as nothing hung on it. */
export interface OtherLook extends Executing {
  readonly is: 'other';
  readonly startKey: string | null;
}

/** What one look at a pid found. */
export type Look =
  | { readonly is: 'game'; readonly sighting: Sighting }
  | OtherLook
  | { readonly is: 'gone' }
  /** It is there and could not be read. */
  | { readonly is: 'unreadable' };

/** Why a batch of looks was taken: it decides what a difference means. */
export type LookCause =
  /** Regular work of the source. */
  | 'watch'
  /** The proof that nothing was missed: what differs is counted. */
  | 'reconcile'
  /** Events were lost, or another source took over. */
  | 'rescan'
  /** The rules changed: a new match had been running, a lost one is no game any more. */
  | 'configure';

/** What sources see. All times on the awake clock, ms. */
export type Observation =
  | { readonly type: 'exec'; readonly pid: number; readonly atMs: number; readonly look: Look }
  | { readonly type: 'fork'; readonly parent: number; readonly child: number; readonly atMs: number }
  /** All threads of the process have ended; `successor`: the start of who has the pid already, null for nobody. */
  | {
      readonly type: 'exit';
      readonly pid: number;
      readonly atMs: number;
      readonly successor: string | null;
    }
  | {
      readonly type: 'looks';
      readonly cause: LookCause;
      /** When a process that is gone now went; null: nobody watched. */
      readonly atMs: number | null;
      readonly looks: ReadonlyMap<number, Look>;
      /** Every process was looked at, or is known by its events: what is not in it was no game. */
      readonly complete?: boolean;
    };

/** A process that is older was seen by a complete look as what it was then; sources look again at younger ones, ms. */
const SETTLED_MS = 3_000;

/** A process that is part of a tracked one. */
interface Part {
  readonly parentPid: number;
  /** null: known from its fork only. */
  readonly startKey: string | null;
  /** What it was last seen as; of one that is known from its fork only, what its parent was, from that moment on. */
  readonly as: GameProcess;
}

export interface ScannerState {
  /** By pid. */
  readonly tracked: ReadonlyMap<number, GameProcess>;
  readonly parts: ReadonlyMap<number, Part>;
  /** What a reconcile had to put right, since the start. */
  readonly missed: number;
  /** When all processes were looked at last, awake clock, ms; null: not yet. */
  readonly completeAtMs: number | null;
}

export type ScannerEffect =
  | { readonly type: 'post'; readonly message: FromScanner }
  /** A process ended that others had been part of: look whether one of the `orphanPids` of then plays on. */
  | { readonly type: 'look_later' };

export type Step = readonly [state: ScannerState, effects: readonly ScannerEffect[]];

export const INITIAL_STATE: ScannerState = {
  tracked: new Map(),
  parts: new Map(),
  missed: 0,
  completeAtMs: null,
};

/** Names one process for good, over the reuse of its pid. */
export function sameIdentity(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startKey === b.startKey;
}

const NONE: readonly number[] = [];

/** The pids whose fate is of interest: every source looks at them each time. */
export function watchedPids(state: ScannerState): readonly number[] {
  return state.tracked.size + state.parts.size === 0
    ? NONE
    : [...state.tracked.keys(), ...state.parts.keys()];
}

export function isWatched(state: ScannerState, pid: number): boolean {
  return state.tracked.has(pid) || state.parts.has(pid);
}

/**
 * The parts of nothing that is tracked any more. Who is looked at is asked for when it is looked: meanwhile one can have
 * handed on to a fork of its own and ended, over and over.
 */
export function orphanPids(state: ScannerState): readonly number[] {
  return [...state.parts].flatMap(([pid, part]) => (rootOf(state, part.parentPid) ? [] : [pid]));
}

/** `isGame`: whether the rules of now still call a process what it was told as. Asked only when the rules changed. */
export function step(
  state: ScannerState,
  seen: Observation,
  isGame: (process: GameProcess) => boolean = () => true,
): Step {
  if (!concerns(state, seen)) return [state, []];
  const draft = new Draft(state);
  switch (seen.type) {
    case 'fork':
      draft.fork(seen);
      break;
    case 'exit':
      // An earlier owner of the pid, whose exec was handled so late that the look found this one.
      if (seen.successor !== null && seen.successor === state.tracked.get(seen.pid)?.startKey) break;
      draft.end(seen.pid, seen.atMs, 'exit');
      break;
    case 'exec':
      draft.look(seen.pid, seen.look, { cause: 'watch', atMs: seen.atMs, exec: true, isGame });
      break;
    case 'looks':
      for (const [pid, look] of parentsFirst(seen.looks)) {
        draft.look(pid, look, { cause: seen.cause, atMs: seen.atMs, exec: false, isGame });
      }
      if (seen.complete) draft.completeAtMs = seen.atMs;
      break;
    default:
      assertNever(seen);
  }
  return [draft, draft.effects];
}

/** Most events of a machine are about other programs: they cost one lookup. */
function concerns(state: ScannerState, seen: Observation): boolean {
  const known = (pid: number) => isWatched(state, pid);
  switch (seen.type) {
    case 'fork':
      return known(seen.parent);
    case 'exit':
      return known(seen.pid);
    case 'exec':
      return seen.look.is === 'game' || known(seen.pid);
    case 'looks':
      return seen.looks.size > 0 || seen.complete === true;
    default:
      return assertNever(seen);
  }
}

/** A part can only be told from a process of its own when its parent is known already. */
function* parentsFirst(looks: ReadonlyMap<number, Look>): Generator<readonly [number, Look]> {
  const pending = new Map(looks);
  function* visit(pid: number): Generator<readonly [number, Look]> {
    const look = pending.get(pid);
    if (!look) return;
    pending.delete(pid);
    if (look.is === 'game') yield* visit(look.sighting.parentPid);
    yield [pid, look];
  }
  for (const pid of looks.keys()) yield* visit(pid);
}

interface LookContext {
  readonly cause: LookCause;
  readonly atMs: number | null;
  /** The kernel said that the process executes this program since `atMs`. */
  readonly exec: boolean;
  readonly isGame: (process: GameProcess) => boolean;
}

type StoppedHow = Extract<FromScanner, { type: 'process.stopped' }>['how'];

/** A process under a name that is not the one it was told by; `game`: what this name makes of it, if anything. */
interface Renamed extends Executing {
  readonly pid: number;
  readonly startKey: string | null;
  readonly game?: string;
}

/** One step in the making: copies of the maps, changed in place, and the effects in order. */
class Draft implements ScannerState {
  readonly tracked: Map<number, GameProcess>;
  readonly parts: Map<number, Part>;
  missed: number;
  completeAtMs: number | null;
  readonly effects: ScannerEffect[] = [];

  constructor(state: ScannerState) {
    this.tracked = new Map(state.tracked);
    this.parts = new Map(state.parts);
    this.missed = state.missed;
    this.completeAtMs = state.completeAtMs;
  }

  fork({ parent, child, atMs }: Extract<Observation, { type: 'fork' }>): void {
    const of = this.tracked.get(parent) ?? this.parts.get(parent)?.as;
    const as = of && { ...of, startedAwakeMs: atMs };
    if (as) this.parts.set(child, { parentPid: parent, startKey: null, as });
  }

  look(pid: number, look: Look, context: LookContext): void {
    switch (look.is) {
      case 'game':
        if (!this.#goesOn(look.sighting.process, context)) this.#game(look.sighting, context);
        break;
      case 'other':
        if (!this.#goesOn({ ...look, pid }, context)) this.#other(pid, look.startKey, context);
        break;
      case 'gone':
        // After an exec the exit event follows and knows the moment.
        if (!context.exec) this.#count(this.end(pid, context.atMs, 'gone'), context);
        break;
      case 'unreadable':
        break;
      default:
        assertNever(look);
    }
  }

  /** Tells the end of a tracked process or forgets a part; true when something was told. */
  end(pid: number, atMs: number | null, how: StoppedHow): boolean {
    const process = this.tracked.get(pid);
    this.parts.delete(pid);
    this.tracked.delete(pid);
    const hadParts = [...this.parts.values()].some((part) => part.parentPid === pid);
    if (hadParts) this.effects.push({ type: 'look_later' });
    if (!process) return false;
    const identity = { pid, startKey: process.startKey };
    this.#post({ type: 'process.stopped', identity, endedAwakeMs: atMs, how });
    return true;
  }

  /**
   * True when it is what it was known as, only under a name that no rule or another game's has: a file can be
   * renamed while it runs and a command line reworded, but without an exec it is the same program.
   */
  #goesOn(now: Renamed, context: LookContext): boolean {
    const { pid, startKey } = now;
    const process = this.tracked.get(pid);
    const part = process ? undefined : this.parts.get(pid);
    const known = process ?? part?.as;
    if (!known || startKey === null || !isSameExecution(known, now) || now.game === known.game) return false;
    if (startKey !== (part ? (part.startKey ?? startKey) : known.startKey)) return false;
    if (context.cause === 'configure' && !context.isGame(known)) return false;
    if (part && rootOf(this, part.parentPid)) this.parts.set(pid, { ...part, startKey });
    else if (part) this.#game({ process: { ...known, pid, startKey }, parentPid: part.parentPid }, context);
    return true;
  }

  #game(sighting: Sighting, context: LookContext): void {
    const { process } = sighting;
    const before = this.tracked.get(process.pid);
    if (before && sameIdentity(before, process) && before.game === process.game) {
      this.#again(before, process);
      return;
    }
    if (before) {
      const how = sameIdentity(before, process) ? howIn(context) : 'gone';
      this.end(process.pid, context.atMs, how);
    }
    const root = rootOf(this, sighting.parentPid);
    if (root && isTwin(root, process)) {
      const { pid, startKey } = process;
      this.parts.set(pid, { parentPid: sighting.parentPid, startKey, as: process });
      return;
    }
    const isNew = !this.parts.delete(process.pid) && context.cause !== 'configure';
    // Under other rules the same process is another game from now on: what was before is that one's.
    const begins = context.exec || (before !== undefined && sameIdentity(before, process));
    const began = begins ? context.atMs : isNew ? this.#notBefore(process) : null;
    const started = began !== null ? { ...process, startedAwakeMs: began } : process;
    this.tracked.set(process.pid, started);
    this.#post({ type: 'process.started', process: started, found: context.cause === 'configure' });
    this.#count(true, context);
  }

  /** What had been running for long when it was no game yet has executed the game since; null: it is not known to have. */
  #notBefore({ startedAwakeMs }: GameProcess): number | null {
    const { completeAtMs } = this;
    return completeAtMs !== null && startedAwakeMs + SETTLED_MS < completeAtMs ? completeAtMs : null;
  }

  /** Still the same process and game; its execution, path or command line may be new. */
  #again(before: GameProcess, now: GameProcess): void {
    const execution = now.execution ?? before.execution ?? null;
    const executed = execution !== (before.execution ?? null);
    if (before.path === now.path && before.command === now.command && !executed) return;
    const process = { ...now, execution, name: before.name, startedAwakeMs: before.startedAwakeMs };
    this.tracked.set(process.pid, process);
    this.#post({ type: 'process.changed', process });
  }

  #other(pid: number, startKey: string | null, context: LookContext): void {
    const process = this.tracked.get(pid);
    // Another start: the pid belongs to somebody else.
    const reused = startKey !== null && startKey !== process?.startKey;
    const how = reused ? 'gone' : howIn(context);
    this.#count(this.end(pid, context.atMs, how), context);
  }

  #count(differs: boolean, context: LookContext): void {
    if (differs && context.cause === 'reconcile') this.missed += 1;
  }

  #post(message: FromScanner): void {
    this.effects.push({ type: 'post', message });
  }
}

/** The tracked process that this one is, or is part of over any number of parts (K4). */
function rootOf(
  { tracked, parts }: Pick<ScannerState, 'tracked' | 'parts'>,
  from: number,
): GameProcess | null {
  let pid = from;
  for (let hops = 0; hops <= parts.size; hops++) {
    const root = tracked.get(pid);
    if (root) return root;
    const between = parts.get(pid);
    if (!between) return null;
    pid = between.parentPid;
  }
  return null;
}

/**
 * Whether one is part of the other, if it is its child: forked from it, under whatever name and command line it gave
 * itself since, or the same executable with the same command line.
 */
export function isTwin(a: GameProcess, b: GameProcess): boolean {
  const sameProgram = a.path === b.path && a.command === b.command;
  return a.game === b.game && (sameProgram || isSameExecution(a, b));
}

/** A process that runs on and is no longer the game that it was: under other rules, else it executed another program. */
const howIn = ({ cause }: LookContext): StoppedHow => (cause === 'configure' ? 'config' : 'exec');

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
