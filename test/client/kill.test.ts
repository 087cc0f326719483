/** Contract D4 under load: an agent that delivers 500 events a second is killed again and again, at any moment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { type Connection, connect } from '../../src/client/index.ts';
import { LONG_TIMEOUT_MS, report, roundsOf, timeIsUp } from '../helpers/long-run.ts';
import { buildProgram, removePrograms } from '../helpers/program.ts';

const PER_SECOND = 500;
/** A start takes a third of it, so that some are killed before they are ready. */
const LONGEST_LIFE_MS = 800;
const ACK_EVERY = 16;
const dir = mkdtempSync(join(tmpdir(), 'playwarden-kill-'));
let connection: Connection | null = null;
let child: ChildProcess | null = null;
afterAll(async () => {
  await connection?.close();
  child?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
  removePrograms();
});

/** `epoch offset` → id, as the agent said it right after it had appended. */
const appended = new Map<string, string>();
const received: { readonly at: string; readonly id: string }[] = [];
let acknowledged = 0;

async function read(from: Connection): Promise<void> {
  for await (const event of from) {
    const { epoch, offset, id } = event.meta;
    received.push({ at: `${epoch} ${offset}`, id });
    if (offset % ACK_EVERY !== 0) continue;
    await event.ack();
    acknowledged++;
  }
}

/** One life of the agent; settles when it has ended. */
function live(program: string): { readonly ready: Promise<boolean>; readonly ended: Promise<void> } {
  const running = spawn(process.execPath, [program, dir, String(PER_SECOND)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = running;
  const ended = new Promise<void>((resolve) => running.once('close', () => resolve()));
  const ready = new Promise<boolean>((resolve) => {
    createInterface({ input: running.stdout }).on('line', (line) => {
      if (line === 'ready') resolve(true);
      const [, at = '', id = ''] = /^(\S+ \d+) (\S{36})$/.exec(line) ?? [];
      if (at) appended.set(at, id);
    });
    void ended.then(() => resolve(false));
  });
  return { ready, ended };
}

it(
  'D4 D2: kill -9 at random moments: no event lost, none twice, order kept, the epoch stays',
  async () => {
    const program = await buildProgram('client/fixtures/busy-agent.ts');
    const gaps: unknown[] = [];
    const positionFile = join(dir, 'position.json');
    connection = await connect(
      { dataDir: dir },
      { clientId: 'desk', positionFile, onGap: (gap) => gaps.push(gap) },
    );
    const reading = read(connection);

    const rounds = roundsOf(20);
    let kills = 0;
    let beforeReady = 0;
    while (kills < rounds && !timeIsUp()) {
      const life = live(program);
      // Every second one gets to work first, on a slow machine too.
      if (kills % 2 === 0) await life.ready;
      await pause(Math.random() * LONGEST_LIFE_MS);
      child?.kill('SIGKILL');
      await life.ended;
      kills++;
      if (!(await life.ready)) beforeReady++;
    }
    const last = live(program);
    expect(await last.ready).toBe(true);
    const offsets = [...appended.keys()].map((at) => Number(at.split(' ')[1]));
    const caughtUp = { timeout: 60_000 };
    await expect.poll(() => received.length, caughtUp).toBeGreaterThanOrEqual(Math.max(...offsets));
    await connection.close();
    await reading;
    child?.kill('SIGKILL');
    await last.ended;

    report('kill -9', {
      kills,
      'before ready': beforeReady,
      appended: appended.size,
      received: received.length,
      acknowledged,
    });
    expect(gaps).toEqual([]);
    const [epoch = ''] = received[0]?.at.split(' ') ?? [];
    expect(received.map((r) => r.at)).toEqual(received.map((_, i) => `${epoch} ${i + 1}`));
    for (const { at, id } of received) if (appended.has(at)) expect(appended.get(at)).toBe(id);
    expect(kills).toBeGreaterThan(0);
    expect(beforeReady).toBeLessThan(kills);
    expect(appended.size).toBeGreaterThan(kills * 10);
  },
  LONG_TIMEOUT_MS,
);
