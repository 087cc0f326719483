/**
 * Processes whose start was told and whose stop was not (contract E1), and beside them plays that ended and were not taken in
 * yet (T7): a process that went from one child to another may be both.
 */
import type { EndedProcess, ToldProcess, ToldStore } from '../protocol/ports.ts';
import type { Records } from './records.ts';

export function openTold(records: Records): ToldStore {
  const query = records.query('ORDER BY rowid');
  const rows = () =>
    records.select(query).map((row) => JSON.parse(String(row.value)) as ToldProcess | EndedProcess);
  const hasEnded = (row: ToldProcess | EndedProcess): row is EndedProcess => 'endedAwakeMs' in row;

  return {
    put(told) {
      records.put([told.process.pid, told.process.startKey, JSON.stringify(told)]);
    },
    remove(pid, startKey) {
      records.remove([pid, startKey]);
    },
    all: () => rows().filter((row) => !hasEnded(row)),
    putEnded(ended) {
      records.put([...endedKey(ended), JSON.stringify(ended)]);
    },
    removeEnded: (ended) => records.remove(endedKey(ended)),
    ended: () => rows().filter(hasEnded),
  };
}

function endedKey({ process, child, endedAwakeMs }: EndedProcess): [number, string] {
  return [process.pid, `${process.startKey} ended ${endedAwakeMs} ${child}`];
}
