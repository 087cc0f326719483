/** Small values that outlive a run, by key. Keys of the store's own: see open.ts. */
import type { MetaStore } from '../protocol/ports.ts';
import type { Records } from './records.ts';

export function openMeta(records: Records): MetaStore {
  return {
    get(key) {
      const row = records.get([key]);
      return row ? String(row.value) : null;
    },
    set(key, value) {
      records.put([key, value]);
    },
  };
}
