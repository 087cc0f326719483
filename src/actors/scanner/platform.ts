/** Wires the four sources to this machine: the only place that knows what each needs. Native parts load on use. */
import { readFileSync } from 'node:fs';
import { accountNames } from './accounts.ts';
import { type ProcReader, procReader } from './proc.ts';
import type { SourceContext, SourceFactories } from './source.ts';
import { ProcEventsSource } from './sources/proc-events.ts';
import { ProcfsSource } from './sources/procfs.ts';
import { PsListSource } from './sources/ps-list.ts';
import { ToolhelpSource } from './sources/toolhelp.ts';
import { loadWin32 } from './win32.ts';

/** For one scanner: its sources share what they read with. */
export function sourceFactories(): SourceFactories {
  const accountName = accountNames();
  let shared: ProcReader | undefined;
  function reader({ rules, bootId, clock, beat, lastClocks }: SourceContext): ProcReader {
    shared ??= procReader({ rules, bootId, accountName, now: () => clock.monotonic(), beat, lastClocks });
    return shared;
  }
  return {
    'proc-events': (context) => new ProcEventsSource({ context, reader: reader(context) }),
    procfs: (context) => new ProcfsSource({ context, reader: reader(context) }),
    toolhelp: (context) => new ToolhelpSource({ context, win32: loadWin32, wallNow: Date.now }),
    'ps-list': (context) =>
      new PsListSource({
        context,
        accountName,
        list: async () => (await import('ps-list')).default(),
        readProc: process.platform === 'linux' ? readProc : null,
        wallNow: Date.now,
      }),
  };
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
