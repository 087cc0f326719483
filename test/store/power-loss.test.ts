/**
 * Power loss (contract D5, E5): the system calls of a store at work are recorded once, then cut at random points into disks
 * as a power loss could leave them, and each is opened. Inode numbers and file times are not part of these disks.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONG_TIMEOUT_MS, report, roundsOf, timeIsUp } from '../helpers/long-run.ts';
import { buildProgram, removePrograms } from '../helpers/program.ts';
import { type Image, imageAt, seeded } from './power-loss/disk.ts';
import { brokenPromises, type Found, type Marker } from './power-loss/history.ts';
import { type Operation, traced } from './power-loss/trace.ts';

const hasStrace = process.platform === 'linux' && spawnSync('strace', ['-V']).status === 0;
if (!hasStrace) console.warn('power-loss tests are skipped: strace is not here');

const AT_ONCE = 50;
/** Operations of the first start, about. */
const FIRST_START = 200;
let writer = '';
let reader = '';
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'playwarden-power-'));
/** An honest machine, and one on which fsync does nothing. */
const honest: Operation[] = [];
const lying: Operation[] = [];
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  removePrograms();
});

type Run = readonly [bootId: string, steps: string, end: 'kill' | 'clean'];
/** Lives of one data directory: killed, killed, stopped cleanly, and killed after each of two other boots. */
const RUNS: readonly Run[] = [
  ['boot-1', '60', 'kill'],
  ['boot-1', '60', 'kill'],
  ['boot-1', '90', 'clean'],
  ['boot-2', '60', 'kill'],
  ['boot-3', '60', 'kill'],
];

/** What Debian's `eatmydata` does: the calls return at once, and the kernel never hears of them. */
const EATS_SYNCS = `
int fsync(int fd) { return 0; }
int fdatasync(int fd) { return 0; }
int sync_file_range(int fd, long long at, long long length, unsigned flags) { return 0; }
void sync(void) {}
`;

beforeAll(async () => {
  if (!hasStrace) return;
  writer = await buildProgram('store/power-loss/writer.ts');
  reader = await buildProgram('store/power-loss/reader.ts');
  const eatsSyncs = join(folder, 'eats-syncs.so');
  execFileSync('gcc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', eatsSyncs], { input: EATS_SYNCS });
  await record(honest, RUNS);
  await record(lying, RUNS.slice(0, 2), eatsSyncs);
}, 90_000);

async function record(operations: Operation[], runs: readonly Run[], preload?: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'playwarden-traced-'));
  try {
    for (const run of runs) {
      const command = [process.execPath, writer, dir, ...run];
      await traced(command, { dir, traceFile: join(folder, 'trace'), before: operations, preload });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const syncsIn = (operations: readonly Operation[]): number =>
  operations.filter((op) => op.kind === 'sync' || op.kind === 'sync directory').length;

const historyOf = (operations: readonly Operation[]): Marker[] =>
  operations
    .flatMap((op) => (op.kind === 'output' ? op.text.trim().split('\n') : []))
    .map((line) => JSON.parse(line) as Marker);

/** Opens all these disks in one process, in order. */
function open(images: readonly Image[]): Found[] {
  const dirs = images.map(({ files }, i) => {
    const dir = join(folder, `disk-${i}`);
    mkdirSync(dir);
    for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
    return dir;
  });
  const out = execFileSync(process.execPath, [reader, 'after the power loss', ...dirs], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  for (const dir of dirs) rmSync(dir, { recursive: true });
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Found);
}

interface Seen {
  disks: number;
  lostWrites: number;
  readonly fates: Set<string>;
  /** What was broken, each with the seed that shows it again on the same trace. */
  readonly broken: string[];
}

function cutAtRandom(operations: readonly Operation[], disks: number, firstSeed: number): Seen {
  const seen: Seen = { disks: 0, lostWrites: 0, fates: new Set(), broken: [] };
  while (seen.disks < disks && !timeIsUp()) {
    const batch = Array.from({ length: Math.min(AT_ONCE, disks - seen.disks) }, (_, i) => {
      const seed = firstSeed + seen.disks + i;
      const random = seeded(seed);
      // The first start is short, and the one in which most is new: it gets more than its share.
      const upTo = random() < 0.2 ? FIRST_START : operations.length;
      const cut = 1 + Math.floor(random() * upTo);
      return { seed, cut, image: imageAt(operations, cut, random) };
    });
    for (const [i, found] of open(batch.map((b) => b.image)).entries()) {
      const { seed, cut, image } = batch[i]!;
      seen.disks++;
      seen.lostWrites += image.lostWrites;
      seen.fates.add(image.fate);
      const broken = brokenPromises(historyOf(operations.slice(0, cut)), found);
      if (broken.length > 0) {
        seen.broken.push(
          `seed ${seed}, cut ${cut} of ${operations.length}, ${image.fate}: ${broken.slice(0, 3).join('; ')}`,
        );
      }
    }
  }
  return seen;
}

describe.skipIf(!hasStrace)('a power cut while the log is written', () => {
  it(
    'D5 E5: every disk it can leave opens, nothing durable is missing, no offset is given twice',
    () => {
      const seed = Number(process.env.PLAYWARDEN_SEED ?? Math.floor(Math.random() * 1e9));
      const seen = cutAtRandom(honest, roundsOf(100), seed);
      report('power loss', {
        seed,
        disks: seen.disks,
        'lost or torn writes': seen.lostWrites,
        operations: honest.length,
        syncs: syncsIn(honest),
      });
      expect(seen.broken).toEqual([]);
      expect(seen.lostWrites).toBeGreaterThan(seen.disks);
      expect(seen.fates.size).toBe(5);
    },
    LONG_TIMEOUT_MS,
  );

  it(
    'D5: the same test fails when fsync is taken away from the same program by LD_PRELOAD',
    () => {
      const { broken, disks } = cutAtRandom(lying, AT_ONCE, 1);
      report('power loss without fsync', { disks, 'found broken': broken.length, syncs: syncsIn(lying) });
      expect(syncsIn(honest)).toBeGreaterThan(0);
      expect(syncsIn(lying)).toBe(0);
      expect(broken.length).toBeGreaterThan(disks / 5);
      expect(broken.join()).toContain('was durable and is missing');
    },
    LONG_TIMEOUT_MS,
  );
});
