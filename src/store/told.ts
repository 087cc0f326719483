/** Processes whose start was told and whose stop was not (contract E1). */
import type { ToldProcess, ToldStore } from '../protocol/ports.ts';
import type { Records } from './records.ts';

export function openTold(records: Records): ToldStore {
  const all = records.query('ORDER BY rowid');
  return {
    put(told) {
      records.put([told.process.pid, told.process.startKey, JSON.stringify(told)]);
    },
    remove(pid, startKey) {
      records.remove([pid, startKey]);
    },
    all: () => records.select(all).map((row) => JSON.parse(String(row.value)) as ToldProcess),
  };
}
