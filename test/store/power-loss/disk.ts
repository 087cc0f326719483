/**
 * A disk with a volatile cache: replays operations up to a cut and gives back what could be on it after a power loss. What was
 * synced is there. Of the rest each sector of 512 bytes may hold any of the states it had since, and of the
 * directory's changes any first part, as journals keep them.
 */
import type { Operation } from './trace.ts';

const SECTOR = 512;

/** A number from 0 to 1, from a seed. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Change = Extract<Operation, { kind: 'write' | 'truncate' }> & { readonly n: number };

class File {
  #room = Buffer.alloc(0);
  #length = 0;
  /** Not on the disk for sure. */
  pending: Change[] = [];

  get content(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  apply(change: Change, keep: (sector: number) => boolean = () => true): void {
    if (change.kind === 'truncate') {
      this.#resize(change.size);
      return;
    }
    const { at, bytes } = change;
    for (let from = at; from < at + bytes.length; ) {
      const sector = Math.floor(from / SECTOR);
      const to = Math.min((sector + 1) * SECTOR, at + bytes.length);
      if (keep(sector)) {
        if (to > this.#length) this.#resize(to);
        bytes.copy(this.#room, from, from - at, to - at);
      }
      from = to;
    }
  }

  #resize(length: number): void {
    if (length > this.#room.length) {
      const room = Buffer.alloc(2 * length);
      this.content.copy(room);
      this.#room = room;
    }
    if (length < this.#length) this.#room.fill(0, length, this.#length);
    this.#length = length;
  }
}

/** How unsynced changes fare; each happens, and each finds other mistakes. */
const FATES = ['dropped', 'kept', 'until a moment', 'write by write', 'sector by sector'] as const;

export interface Image {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly fate: (typeof FATES)[number];
  /** Unsynced writes that did not reach the disk, or not whole. */
  readonly lostWrites: number;
}

/** The disk after a power loss behind `operations[cut - 1]`. */
export function imageAt(operations: readonly Operation[], cut: number, random: Random): Image {
  const durableNames = new Map<string, File>();
  const names = new Map<string, File>();
  let pendingNames: { readonly n: number; readonly apply: (to: Map<string, File>) => void }[] = [];
  const rename = (n: number, apply: (to: Map<string, File>) => void) => {
    apply(names);
    pendingNames.push({ n, apply });
  };
  const files = new Set<File>();

  for (let n = 0; n < cut; n++) {
    const op = operations[n]!;
    switch (op.kind) {
      case 'create': {
        if (names.has(op.name)) break;
        const file = new File();
        files.add(file);
        rename(n, (to) => to.set(op.name, file));
        break;
      }
      case 'rename': {
        const file = names.get(op.name)!;
        rename(n, (to) => {
          to.delete(op.name);
          to.set(op.to, file);
        });
        break;
      }
      case 'unlink':
        rename(n, (to) => to.delete(op.name));
        break;
      case 'write':
      case 'truncate':
        names.get(op.name)?.pending.push({ ...op, n });
        break;
      case 'sync':
        settle(names.get(op.name), op.since);
        break;
      case 'sync directory':
        for (const change of pendingNames) if (change.n < op.since) change.apply(durableNames);
        pendingNames = pendingNames.filter((change) => change.n >= op.since);
    }
  }

  const fate = FATES[Math.floor(random() * FATES.length)]!;
  const moment = Math.floor(cut * (1 - random() ** 3));
  let lostWrites = 0;
  for (const file of files) lostWrites += loseSome(file, fate, moment, random);
  const kept = keptNames(pendingNames.length, fate, random, pendingNames.filter((c) => c.n < moment).length);
  for (const change of pendingNames.slice(0, kept)) change.apply(durableNames);
  return {
    files: new Map([...durableNames].map(([name, file]) => [name, file.content])),
    fate,
    lostWrites,
  };
}

function settle(file: File | undefined, since: number): void {
  if (!file) return;
  for (const change of file.pending) if (change.n < since) file.apply(change);
  file.pending = file.pending.filter((change) => change.n >= since);
}

function keptNames(count: number, fate: Image['fate'], random: Random, untilMoment: number): number {
  if (fate === 'dropped') return 0;
  if (fate === 'kept') return count;
  if (fate === 'until a moment') return untilMoment;
  return Math.floor(random() * (count + 1));
}

/** Puts on the disk what the fate leaves of the pending changes; returns how many of them are not there, or torn. */
function loseSome(file: File, fate: Image['fate'], moment: number, random: Random): number {
  const { pending } = file;
  /** By sector: the last change that reached the disk. What came before it in that sector is in it. */
  const reached = new Map<number, number>();
  let lost = 0;
  for (const change of pending) {
    const whole =
      fate === 'kept' ||
      (fate === 'until a moment' && change.n < moment) ||
      (fate === 'write by write' && random() < 0.5);
    const torn = !whole && (fate === 'sector by sector' || (fate === 'write by write' && random() < 0.5));
    if (!whole) lost++;
    if (change.kind === 'truncate') {
      if (whole || (torn && random() < 0.5)) reached.set(-1, change.n);
      continue;
    }
    const [first, last] = [change.at, change.at + change.bytes.length - 1].map((at) =>
      Math.floor(at / SECTOR),
    );
    for (let sector = first!; sector <= last!; sector++) {
      if (whole || (torn && random() < 0.5)) reached.set(sector, change.n);
    }
  }
  for (const change of pending) {
    if (change.kind === 'truncate') {
      if (change.n <= (reached.get(-1) ?? -1)) file.apply(change);
    } else file.apply(change, (sector) => change.n <= (reached.get(sector) ?? -1));
  }
  return lost;
}
