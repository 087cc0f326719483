/**
 * Opens the stores in the given directories, as the next start would, and says what it finds: one JSON line each. Ends
 * without closing any. Arguments: boot id, directories.
 */
import { writeSync } from 'node:fs';
import type { Store } from '../../../src/protocol/ports.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Found } from './history.ts';

const clock = { monotonic: () => 1_000, wall: () => Date.now(), after: () => () => {} };

const [bootId = '', ...dirs] = process.argv.slice(2);

function look(dir: string): Found {
  const nothing = { findings: [], events: [], counter: 0, cursor: null, given: [] };
  try {
    return found(openStore({ dir, bootId, clock, reserveBytes: 64 * 1024 }));
  } catch (error) {
    return { error: String((error as Error).stack ?? error), ...nothing };
  }
}

function found(store: Store): Found {
  const events: Found['events'][number][] = [];
  for (let at = store.log.oldest(), more = true; more; ) {
    const page = store.log.read(at, 500);
    events.push(...page.entries.map(({ epoch, offset, id }) => ({ epoch, offset, id })));
    at = page.next;
    more = page.hasMore;
  }
  const counter = Number(store.meta.get('counter') ?? 0);
  const cursor = store.clients.get('desk')?.cursor ?? null;
  const one = { type: 'notification' as const, data: { title: 't', message: 'm', type: 'message' as const } };
  const given = store.log.append([one, one, one]).map(({ epoch, offset }) => ({ epoch, offset }));
  return { error: null, findings: store.findings as Found['findings'], events, counter, cursor, given };
}

for (const dir of dirs) writeSync(1, `${JSON.stringify(look(dir))}\n`);
process.exit(0);
