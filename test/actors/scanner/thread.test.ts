/** The scanner in its thread: ready after the snapshot, and no descriptor outlives it. */
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FromScanner, ScannerCalls, ScannerInit, ToScanner } from '../../../src/protocol/messages.ts';
import { type RuntimeClock, systemClock } from '../../../src/runtime/clock.ts';
import { type SpawnedActor, spawnActor } from '../../../src/runtime/handle.ts';
import { BOOT_ID, Games, hasConnector } from './harness.ts';

let games: Games;
let file: URL;
beforeAll(async () => {
  games = new Games();
  // Beside the sources: native packages are found from there.
  const outfile = fileURLToPath(
    new URL(`../../../node_modules/.cache/playwarden/scanner-${games.tag}.mjs`, import.meta.url),
  );
  await build({
    entryPoints: [fileURLToPath(new URL('../../../src/actors/scanner/scanner.worker.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['koffi', 'ps-list', 'pidusage'],
    logLevel: 'silent',
  });
  file = pathToFileURL(outfile);
});
afterAll(async () => {
  await games.close();
  rmSync(file, { force: true });
});

/** A thread on a busy machine ends late, but it ends: only one that hangs is given up. */
const patient: RuntimeClock = { ...systemClock, after: (ms, fn) => systemClock.after(ms * 15, fn) };

function spawnScanner(messages: FromScanner[] = []): SpawnedActor<ToScanner, ScannerCalls> {
  const detection = { source: 'proc-events' as const, poll_interval_ms: 50, reconcile_seconds: 5 };
  return spawnActor<ScannerInit, ToScanner, FromScanner, ScannerCalls>({
    id: 'scanner',
    file,
    init: { config: { games: [games.config('Player')], detection }, bootId: BOOT_ID },
    incarnation: 1,
    readyTimeoutMs: 10_000,
    onMessage: (message) => messages.push(message),
    clock: patient,
  });
}

describe.skipIf(!hasConnector)('the thread of the scanner', () => {
  test('the snapshot is there before it is ready; it answers calls; asked to stop, it ends', async () => {
    const messages: FromScanner[] = [];
    const scanner = spawnScanner(messages);
    expect(await scanner.ready).toEqual({ ok: true });
    expect(messages).toEqual([{ type: 'processes.snapshot', processes: [], source: 'proc-events' }]);
    expect(await scanner.handle.call('stats', [])).toMatchObject({
      ok: true,
      value: { source: 'proc-events' },
    });
    expect(await scanner.stop(5_000)).toEqual({ kind: 'stopped' });
  });

  test.each([
    ['killed', (scanner: SpawnedActor<ToScanner, ScannerCalls>) => scanner.kill('a test')],
    ['stopped', (scanner: SpawnedActor<ToScanner, ScannerCalls>) => scanner.stop(5_000)],
  ])('a thread that is %s leaves no descriptor', async (kind, end) => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const live = async () => {
      const scanner = spawnScanner();
      expect(await scanner.ready).toEqual({ ok: true });
      expect(await end(scanner)).toMatchObject({ kind });
    };
    await live();
    const before = descriptors();
    for (let n = 0; n < 3; n += 1) await live();
    expect(descriptors()).toBe(before);
  });

  test('an uncaught exception ends the thread too', async () => {
    const scanner = spawnScanner();
    await scanner.ready;
    // A call whose argument is no configuration: compiling it throws, but as data; the thread goes on.
    const answer = await scanner.handle.call('configure', [{ games: null } as never]);
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'threw' } });
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       setTimeout(() => { throw new Error('a test'); }, 500);
       import(workerData.file);`,
      {
        eval: true,
        workerData: {
          file: file.href,
          init: {
            config: {
              games: [],
              detection: { source: 'proc-events', poll_interval_ms: 50, reconcile_seconds: 5 },
            },
            bootId: BOOT_ID,
          },
          vitals: new SharedArrayBuffer(1_024),
          mainBeat: null,
        },
      },
    );
    // Both may come in one turn.
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    const [error] = await once(worker, 'error');
    expect(error).toMatchObject({ message: 'a test' });
    await exited;
    await scanner.stop(5_000);
  });
});
