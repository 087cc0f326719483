/** Starts fixture workers in real threads, and remembers what they said. */
import { systemClock } from '../../src/runtime/clock.ts';
import { type SpawnedActor, type SpawnOptions, spawnActor } from '../../src/runtime/handle.ts';
import { bundleWorker } from '../helpers/bundle.ts';

/** Calls of any name, for fixtures of every kind. */
// biome-ignore lint/suspicious/noExplicitAny: a test gives each fixture its own arguments and reads its own answers
export type AnyCalls = Record<string, (...args: any[]) => any>;

export interface Thread extends SpawnedActor<unknown, AnyCalls> {
  readonly heard: unknown[];
  /** Resolves with the next message for which `wanted` holds, heard already or not. */
  hears(wanted: unknown): Promise<void>;
}

const bundles = new Map<string, Promise<URL>>();
const running = new Set<Thread>();

/** A fixture worker by its name in test/fixtures/workers. */
export async function startThread(
  fixture: string,
  options: Partial<SpawnOptions<unknown, unknown, unknown>> = {},
): Promise<Thread> {
  const file = bundles.get(fixture) ?? bundleWorker(`fixtures/workers/${fixture}.ts`);
  bundles.set(fixture, file);
  const heard: unknown[] = [];
  const waiting = new Set<() => void>();
  const spawned = spawnActor<unknown, unknown, unknown, AnyCalls>({
    id: fixture,
    file: await file,
    init: null,
    incarnation: 1,
    // A thread that can end does so, however slow the machine.
    readyTimeoutMs: 60_000,
    abandonAfterMs: 60_000,
    clock: systemClock,
    ...options,
    onMessage(message) {
      heard.push(message);
      for (const check of waiting) check();
    },
  });
  const thread: Thread = {
    handle: spawned.handle,
    ready: spawned.ready,
    exited: spawned.exited,
    lastBeatAgoMs: () => spawned.lastBeatAgoMs(),
    lastWorkAgoMs: () => spawned.lastWorkAgoMs(),
    overdueMs: () => spawned.overdueMs(),
    stop: (ms) => spawned.stop(ms),
    kill: (reason) => spawned.kill(reason),
    heard,
    hears: (wanted) =>
      new Promise((resolve) => {
        const check = () => {
          if (!heard.includes(wanted)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
  running.add(thread);
  void thread.exited.then(() => running.delete(thread));
  return thread;
}

/** For afterEach: ends what a failed test has left. */
export async function endThreads(): Promise<void> {
  await Promise.all([...running].map((thread) => thread.kill('the test is over')));
}
