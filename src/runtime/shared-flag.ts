/** One bit that all threads see at once, for what a message would reach too late: a thread in the midst of its work. */

/** Cloned to a thread it stays the same one. */
export type SharedFlag = SharedArrayBuffer;

/** Not raised. */
export function sharedFlag(): SharedFlag {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

export function raise(flag: SharedFlag): void {
  Atomics.store(new Int32Array(flag), 0, 1);
}

export function isRaised(flag: SharedFlag): boolean {
  return Atomics.load(new Int32Array(flag), 0) === 1;
}
