/**
 * The scanner without its thread: feeds what the sources see through behavior.ts, posts the outcome, and keeps a
 * source running. When one dies the next takes over, and the better one is tried again later.
 */
import { keptCommandLine } from '../../protocol/command-line.ts';
import type { SourceName } from '../../protocol/config.ts';
import type {
  FromScanner,
  GameProcess,
  ScannerCalls,
  ScannerConfig,
  ScannerInit,
  ToScanner,
} from '../../protocol/messages.ts';
import type { Actor, ActorHost } from '../../runtime/actor.ts';
import type { PollingClock } from '../../runtime/clock.ts';
import {
  INITIAL_STATE,
  isWatched,
  type Observation,
  orphanPids,
  type ScannerState,
  step,
  watchedPids,
} from './behavior.ts';
import { compileRules, type Rules } from './matcher.ts';
import {
  type ProcessSource,
  returnDelayMs,
  type SourceContext,
  type SourceFactories,
  type SourceSink,
  sourceOrder,
} from './source.ts';
import type { UsageReader } from './usage.ts';

/** So many scans in a row must fail until the state is told as unknown. */
const FAILURES_TO_UNKNOWN = 3;
/** A child that goes down with its tracked parent is not told: it is looked at after so long. */
const ORPHAN_LOOK_MS = 100;

export interface ScannerParts {
  readonly host: ActorHost<ScannerInit, FromScanner>;
  readonly clock: PollingClock;
  readonly platform: NodeJS.Platform;
  readonly factories: SourceFactories;
  readonly usage: UsageReader;
}

/** Starts the best source that works; when it settles the snapshot has been posted. */
export async function startScanner(parts: ScannerParts): Promise<Actor<ToScanner, ScannerCalls>> {
  const scanner = new Scanner(parts);
  await scanner.start();
  return {
    receive: () => {},
    calls: {
      configure: (config) => scanner.configure(config),
      stats: () => scanner.stats(),
      usage: () => scanner.usage(),
    },
    stop: () => scanner.stop(),
  };
}

class Scanner {
  readonly #parts: ScannerParts;
  #config: ScannerConfig;
  #rules: Rules;
  #state: ScannerState;
  #source: ProcessSource | null = null;
  /** Until then what is told stands in the snapshot. */
  #snapshotPosted = false;
  #failures = 0;
  #rescans = 0;
  #overflows = 0;
  #returnTries = 0;
  #stopReturn: () => void = () => {};
  readonly #stopLooks = new Set<() => void>();
  #stopped = false;
  /** One change of source at a time. */
  #changing: Promise<void> = Promise.resolve();

  constructor(parts: ScannerParts) {
    this.#parts = parts;
    this.#config = parts.host.init.config;
    this.#rules = compileRules(this.#config.games);
    const told = (parts.host.init.told ?? []).filter((process) => this.#isGame(process));
    this.#state = { ...INITIAL_STATE, tracked: new Map(told.map((process) => [process.pid, process])) };
  }

  async start(): Promise<void> {
    const wanted = this.#config.detection.source;
    const failures = await this.#startFirstOf(this.#order());
    const { name: source } = this.#running();
    const processes = [...this.#state.tracked.values()];
    const reason = failures.length > 0 ? { reason: failures.join('; ') } : {};
    this.#post({ type: 'processes.snapshot', processes, source, ...reason });
    this.#snapshotPosted = true;
    if (wanted !== 'auto' && wanted !== source) this.#returnLater(wanted);
  }

  async configure(config: ScannerConfig): Promise<void> {
    const before = this.#config.detection.source;
    this.#rules = compileRules(config.games);
    this.#config = config;
    await this.#source?.rescan('configure');
    const wanted = config.detection.source;
    if (wanted === before) return;
    this.#stopReturn();
    this.#returnTries = 0;
    await this.#change(() => this.#replace(this.#order(), 'the configuration asks for it', this.#running()));
    if (wanted !== 'auto' && wanted !== this.#running().name) this.#returnLater(wanted);
  }

  stats(): ReturnType<ScannerCalls['stats']> {
    return {
      source: this.#running().name,
      tracked: this.#state.tracked.size,
      missed: this.#state.missed,
      rescans: this.#rescans,
      overflows: this.#overflows,
    };
  }

  async usage(): ReturnType<ScannerCalls['usage']> {
    const asked = this.#state.tracked;
    const answers = await this.#parts.usage([...asked.values()]);
    // A pid that changed hands meanwhile was measured for somebody else.
    return answers.filter(({ pid }) => this.#state.tracked.get(pid)?.startKey === asked.get(pid)?.startKey);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopReturn();
    for (const stop of this.#stopLooks) stop();
    await this.#changing;
    await this.#source?.stop();
    this.#source = null;
  }

  #order(): readonly SourceName[] {
    return sourceOrder(this.#config.detection.source, this.#parts.platform);
  }

  #running(): ProcessSource {
    if (!this.#source) throw new Error('no source of process news runs');
    return this.#source;
  }

  /** Starts one, unless it comes to the one to keep; returns why those before did not start. Throws when none does. */
  async #startFirstOf(names: readonly SourceName[], keep?: ProcessSource): Promise<readonly string[]> {
    const failures: string[] = [];
    for (const name of names) {
      if (name === keep?.name) return failures;
      try {
        this.#source = await this.#started(name);
        return failures;
      } catch (thrown) {
        failures.push(`${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      }
    }
    throw new Error(`no way to see processes works here (${failures.join('; ')})`);
  }

  async #started(name: SourceName): Promise<ProcessSource> {
    const source = this.#parts.factories[name](this.#context());
    await source.start(this.#sink(source));
    return source;
  }

  #sink(source: ProcessSource): SourceSink {
    return {
      observe: (seen) => this.#observe(seen, source),
      idle: () => this.#scanned(source),
      failed: (reason) => this.#failed(reason),
      died: (reason) => this.#died(source, reason),
      overflowed: () => {
        this.#overflows += 1;
      },
    };
  }

  #context(): SourceContext {
    const scanner = this;
    return {
      clock: this.#parts.clock,
      bootId: this.#parts.host.init.bootId,
      beat: () => this.#parts.host.beat(),
      lastClocks: this.#parts.host.init.lastClocks ?? null,
      rules: () => this.#rules,
      watched: () => watchedPids(this.#state),
      isWatched: (pid) => isWatched(this.#state, pid),
      get pollIntervalMs() {
        return scanner.#config.detection.poll_interval_ms;
      },
      get reconcileMs() {
        return scanner.#config.detection.reconcile_seconds * 1_000;
      },
    };
  }

  #observe(seen: Observation, source: ProcessSource): void {
    if (this.#stopped) return;
    const [state, effects] = step(this.#state, seen, (process) => this.#isGame(process));
    this.#state = state;
    if (seen.type === 'looks') this.#scanned(source);
    if (this.#snapshotPosted && seen.type === 'looks' && seen.cause === 'rescan') this.#rescans += 1;
    for (const effect of effects) {
      if (effect.type === 'look_later') this.#lookLater();
      else if (this.#snapshotPosted) this.#post(effect.message);
    }
  }

  /** By the name that it was told by: it may have another one now. */
  #isGame({ path, command, game }: GameProcess): boolean {
    return this.#rules.match({ exe: path, ...keptCommandLine(command ?? '') })?.game === game;
  }

  #scanned(source: ProcessSource): void {
    if (this.#failures >= FAILURES_TO_UNKNOWN) this.#post({ type: 'scan.known' });
    this.#failures = 0;
    this.#parts.host.worked(source.lookEveryMs);
  }

  #failed(reason: string): void {
    this.#failures += 1;
    if (this.#failures !== FAILURES_TO_UNKNOWN) return;
    this.#post({ type: 'scan.unknown', reason, failures: this.#failures });
    const { name } = this.#running();
    // It goes on trying by itself, so it stays where there is nothing better.
    if (this.#worseThan(name).length > 0) this.#fallOver(this.#running(), reason).catch(() => {});
  }

  #lookLater(): void {
    const stop = this.#parts.clock.after(ORPHAN_LOOK_MS, () => {
      this.#stopLooks.delete(stop);
      const orphans = orphanPids(this.#state);
      if (orphans.length > 0) void this.#source?.look(orphans);
    });
    this.#stopLooks.add(stop);
  }

  #worseThan(name: SourceName): readonly SourceName[] {
    const order = this.#order();
    return order.slice(order.indexOf(name) + 1);
  }

  /** The source cannot go on. With nothing in its place nobody sees processes: the thread ends, main acts. */
  #died(source: ProcessSource, reason: string): void {
    this.#fallOver(source, reason).catch((thrown) => {
      queueMicrotask(() => {
        throw thrown;
      });
    });
  }

  #fallOver(from: ProcessSource, reason: string): Promise<void> {
    const { name } = from;
    return this.#change(async () => {
      if (this.#source !== from) return;
      await this.#replace([...this.#worseThan(name), name], reason);
      if (this.#running().name !== name) this.#returnLater(name);
    });
  }

  /** Goes on with the first of these that works; `keep`: the one that runs is one of them. */
  async #replace(names: readonly SourceName[], reason: string, keep?: ProcessSource): Promise<void> {
    const before = this.#source;
    const failures = await this.#startFirstOf(names, keep);
    if (this.#source !== before) await before?.stop();
    const because = [reason, ...failures].join('; ');
    this.#post({ type: 'source.changed', source: this.#running().name, reason: because });
  }

  #returnLater(wanted: SourceName): void {
    this.#stopReturn();
    this.#stopReturn = this.#parts.clock.after(returnDelayMs(this.#returnTries), () => {
      void this.#change(async () => {
        try {
          const better = await this.#started(wanted);
          const before = this.#source;
          this.#source = better;
          this.#returnTries = 0;
          await before?.stop();
          this.#post({ type: 'source.changed', source: wanted, reason: 'it works again' });
        } catch {
          this.#returnTries += 1;
          this.#returnLater(wanted);
        }
      });
    });
  }

  #change(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(() => (this.#stopped ? undefined : change()));
    this.#changing = changed.catch(() => {});
    return changed;
  }

  #post(message: FromScanner): void {
    this.#parts.host.post(message);
  }
}
