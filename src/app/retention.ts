/**
 * When what is past its retention is dropped: at the start, a moment after events were appended (the cap of the log
 * is held at once, not some day), and now and then for what grows old.
 */
import type { Config } from '../protocol/config.ts';
import type { Clock, Store } from '../protocol/ports.ts';

/** A burst of events is pruned once, ms after its first. */
const AFTER_APPEND_MS = 1_000;
/** How often age is looked at, ms. */
const FOR_AGE_MS = 10 * 60_000;

/** Prunes from now on; returns its stop. */
export function keepRetention(store: Store, clock: Clock, config: () => Config): () => void {
  let burst: (() => void) | null = null;
  let age = () => {};

  function prune(): void {
    store.prune(config().retention);
  }

  function forAge(): void {
    age = clock.after(FOR_AGE_MS, forAge);
    prune();
  }

  const stopListening = store.log.onAppend(() => {
    burst ??= clock.after(AFTER_APPEND_MS, () => {
      burst = null;
      prune();
    });
  });
  forAge();

  return () => {
    stopListening();
    burst?.();
    age();
  };
}
