/** The log and the clients that the model runs on: in memory, or the database as it is. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientStore, EventLog, Store } from '../../../src/protocol/ports.ts';
import { openStore } from '../../../src/store/open.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { MemoryClients, MemoryLog } from '../../helpers/memory-store.ts';

/** How a run ends: as asked, killed, or killed with the machine. */
export type End = 'clean' | 'killed' | 'machine down';

export interface Backend {
  /** Gaps that follow each other are told as one. */
  readonly joinsGaps: boolean;
  readonly log: EventLog;
  readonly clients: ClientStore;
  /** Drops the oldest events; of the oldest epoch only where `dropsInOneEpoch`. */
  lose(count: number): void;
  readonly dropsInOneEpoch: boolean;
  /** Afterwards `log` and `clients` are those of the next run. */
  restart(end: End): Promise<void>;
  /** After a crash everything kept counts as sent (contract E2). */
  readonly forgetsWhatWasSent: boolean;
  dispose(): Promise<void>;
}

export function memoryBackend(): Backend {
  const log = new MemoryLog('epoch-1');
  const clients = new MemoryClients(log);
  let epochs = 1;
  return {
    joinsGaps: false,
    dropsInOneEpoch: true,
    forgetsWhatWasSent: false,
    log,
    clients,
    lose: (count) => log.trim(count),
    async restart(end) {
      if (end === 'machine down') log.newEpoch(`epoch-${++epochs}`);
    },
    async dispose() {},
  };
}

export function storeBackend(): Backend {
  const folder = mkdtempSync(join(tmpdir(), 'playwarden-model-'));
  const clock = new FakeClock();
  const old: Store[] = [];
  let boot = 1;
  let lives = 1;
  const open = () =>
    openStore({ dir: join(folder, `${lives}`), clock, bootId: `boot-${boot}`, reserveBytes: 64 * 1024 });
  cpSync(mkdtempSync(join(folder, 'empty-')), join(folder, '1'), { recursive: true });
  let store = open();
  return {
    joinsGaps: true,
    dropsInOneEpoch: false,
    forgetsWhatWasSent: true,
    get log() {
      return store.log;
    },
    get clients() {
      return store.clients;
    },
    lose(count) {
      const kept = store.log.count(store.log.oldest());
      store.prune({ max_events: Math.max(0, kept - count), max_days: 30 });
    },
    async restart(end) {
      if (end === 'clean') await store.close();
      else {
        // What a killed process leaves, and this one cannot: the same files, without their owner.
        await store.durable();
        old.push(store);
        cpSync(join(folder, `${lives}`), join(folder, `${lives + 1}`), { recursive: true });
        lives++;
      }
      if (end === 'machine down') boot++;
      store = open();
    },
    async dispose() {
      for (const s of [...old, store]) await s.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
