/**
 * A disk that fails at one call, or from then on (contract D4, D5, D10): every fsync, write and truncation of a store's life in turn is answered
 * with EIO or ENOSPC by strace. The store goes on, or ends with one sentence, and the next start finds what was told.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/protocol/exit-codes.ts';
import { LONG, LONG_TIMEOUT_MS, report, roundsOf, timeIsUp } from '../helpers/long-run.ts';
import { buildProgram, removePrograms } from '../helpers/program.ts';
import { brokenPromises, type Found, type Marker } from './power-loss/history.ts';

const hasStrace = process.platform === 'linux' && spawnSync('strace', ['-V']).status === 0;
if (!hasStrace) console.warn('disk-fault tests are skipped: strace is not here');

const folder = mkdtempSync(join(tmpdir(), 'playwarden-faults-'));
let program = '';
let reader = '';
/** A data directory as a killed run leaves it. */
const before = join(folder, 'before');

beforeAll(async () => {
  if (!hasStrace) return;
  program = await buildProgram('store/fixtures/faulty-run.ts');
  reader = await buildProgram('store/power-loss/reader.ts');
  const writer = await buildProgram('store/power-loss/writer.ts');
  spawnSync('mkdir', [before]);
  const { stdout } = await run([process.execPath, writer, before, 'boot-1', '20', 'kill']);
  earlier.push(...markersIn(stdout));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  removePrograms();
});

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

function run([file = '', ...args]: readonly string[]): Promise<Ended> {
  // One thread of the pool, since strace counts calls by thread.
  const child = spawn(file, args, { env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ stdout, stderr, code }));
  });
}

type Said = Marker | { readonly kind: 'refused' | 'healthy'; readonly why: string };
const linesIn = (text: string): Said[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Said);
const isMarker = (said: Said): said is Marker => said.kind !== 'refused' && said.kind !== 'healthy';
const markersIn = (text: string): Marker[] => linesIn(text).filter(isMarker);
const earlier: Marker[] = [];

interface Fault {
  readonly call: string;
  readonly error: 'EIO' | 'ENOSPC' | 'EROFS';
  readonly start: 'first' | 'later';
  /** The call fails once, or from then on. */
  readonly ends: 'once' | 'for good';
}

const CALLS = ['fdatasync', 'fsync', 'pwrite64', 'ftruncate'];
const FAULTS: readonly Fault[] = CALLS.flatMap((call) =>
  (['EIO', 'ENOSPC'] as const).flatMap((error) =>
    (['first', 'later'] as const).flatMap((start) =>
      (['once', 'for good'] as const).map((ends) => ({ call, error, start, ends })),
    ),
  ),
);
/** In `npm test` each call fails in one way. */
const SOME = FAULTS.filter(
  ({ call, error, start, ends }) =>
    (error === 'EIO') === (start === 'first') &&
    (ends === 'for good') === (call === 'pwrite64' && error === 'ENOSPC'),
);

/** Lets the n-th such call of each thread fail; says how many did, and what is wrong with what followed. */
async function failAt(
  { call, error, start, ends }: Fault,
  n: number,
): Promise<{ injected: number; wrong: string[] }> {
  const dir = mkdtempSync(join(folder, 'run-'));
  const trace = `${dir}.trace`;
  if (start === 'later') cpSync(before, dir, { recursive: true });
  const inject = [
    '-f',
    // Stops at these calls only: three times as fast.
    '--seccomp-bpf',
    '-o',
    trace,
    '-e',
    // A file system that has turned read-only keeps its files too.
    `trace=${call}${error === 'EROFS' ? ',unlink,unlinkat' : ''}`,
    '-e',
    `inject=${call}:error=${error}:when=${n}${ends === 'once' ? '' : '+'}`,
    ...(error === 'EROFS' ? ['-e', 'inject=unlink,unlinkat:error=EROFS'] : []),
  ];
  const ended = await run(['strace', ...inject, process.execPath, program, dir, 'boot-1']);
  const injected = readFileSync(trace, 'utf8')
    .split('\n')
    .filter((line) => line.includes(call) && line.includes('(INJECTED)')).length;
  const wrong: string[] = [];
  if (ended.code !== 0 && ended.code !== EXIT.disk)
    wrong.push(`it ended with ${ended.code}: ${ended.stderr}`);
  const said = linesIn(ended.stdout);
  const health = said.find((s) => s.kind === 'healthy');
  if (ends === 'once' && health?.kind === 'healthy' && !JSON.parse(health.why).ok)
    wrong.push(`it did not recover: ${health.why}`);

  // The machine did not go down: what was appended is there, whether it was synced or not.
  const history = [...(start === 'later' ? earlier : []), ...said.filter(isMarker)];
  const last = history.findLast((m) => m.kind === 'appended');
  const durable = history.findLast((m) => m.kind === 'durable');
  const { counter = 0, cursor = null } = durable ?? {};
  if (last) history.push({ kind: 'durable', last, counter, cursor });
  const { stdout } = await run([process.execPath, reader, 'boot-1', dir]);
  const found = JSON.parse(stdout) as Found;
  // What still waited when the run ended is told by the next start, and is not taken for damage.
  const findings = found.findings.filter((f) => f.event_type !== 'events_lost');
  wrong.push(...brokenPromises(history, { ...found, findings }));
  rmSync(dir, { recursive: true });
  rmSync(trace);
  return { injected, wrong };
}

/** In the long form each call in turn until one is never reached; else with growing steps. */
const after = (n: number): number => (LONG ? n + 1 : 5 * n);

describe.skipIf(!hasStrace).concurrent('a disk that fails', () => {
  it.each(LONG ? FAULTS : SOME)(
    'D5 D10: $error at any $call of a $start start, $ends: nothing told is lost',
    async (fault) => {
      const wrong: string[] = [];
      let runs = 0;
      let injected = 0;
      /** So many such calls there are: the run in which the next one was to fail succeeded without a fault. */
      let calls: number | null = null;
      for (let n = 1; calls === null && runs < roundsOf(20) && !timeIsUp(); n = after(n)) {
        const round = await failAt(fault, n);
        injected += round.injected;
        runs++;
        if (round.injected === 0) calls = n - 1;
        wrong.push(
          ...round.wrong.map((w) => `${fault.call} ${fault.error} ${fault.start} ${fault.ends} ${n}: ${w}`),
        );
      }
      report(`${fault.error} at ${fault.call}, ${fault.start} start, ${fault.ends}`, {
        runs,
        injected,
        ...(calls !== null && { 'until it succeeded, calls': calls }),
      });
      expect(wrong).toEqual([]);
      expect(injected).toBeGreaterThan(0);
    },
    LONG_TIMEOUT_MS,
  );

  it(
    'D10 C5: a file system that turns read-only ends nothing',
    async () => {
      const fault = { call: 'pwrite64', error: 'EROFS', start: 'later', ends: 'for good' } as const;
      const ended = await Promise.all([20, 60, 100, 140, 180].map((n) => failAt(fault, n)));
      expect(ended.flatMap((e) => e.wrong)).toEqual([]);
      expect(ended.every((e) => e.injected > 0)).toBe(true);
    },
    LONG_TIMEOUT_MS,
  );

  it(
    'C4: what a stop puts on the disk is waited for on other threads, so that its deadline can end it',
    async () => {
      const dir = mkdtempSync(join(folder, 'run-'));
      const trace = `${dir}.trace`;
      const strace = ['strace', '-f', '-o', trace, '-e', 'trace=write,fsync,fdatasync'];
      const { code } = await run([...strace, process.execPath, program, dir, 'boot-1']);
      expect(code).toBe(0);
      const calls = readFileSync(trace, 'utf8').split('\n');
      const closing = calls.findIndex((line) => line.includes('healthy'));
      const main = calls[closing]?.split(' ')[0];
      const syncs = calls.slice(closing).filter((line) => / (fsync|fdatasync)\(/.test(line));
      expect(syncs.length).toBeGreaterThan(0);
      expect(syncs.filter((line) => line.startsWith(`${main} `))).toEqual([]);
    },
    LONG_TIMEOUT_MS,
  );

  it(
    'D11: a stop that the disk refuses does not look like a rollback afterwards',
    async () => {
      const fault = { call: 'fsync', error: 'EIO', start: 'first', ends: 'for good' } as const;
      // The first commit after a checkpoint syncs: about there the store can write no more, and stops so.
      const ended = await Promise.all([8, 9, 10, 11, 12].map((n) => failAt(fault, n)));
      expect(ended.flatMap((e) => e.wrong)).toEqual([]);
      expect(ended.every((e) => e.injected > 0)).toBe(true);
    },
    LONG_TIMEOUT_MS,
  );
});
