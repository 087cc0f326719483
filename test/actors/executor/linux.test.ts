/** Closing real processes on Linux: each is started, and at the latest ended, by the test that needs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeProcess } from '../../../src/actors/executor/close.ts';
import { linuxControl, loadLinuxControl } from '../../../src/actors/executor/platform/linux.ts';
import type { ProcessControl } from '../../../src/actors/executor/process-control.ts';
import type { CloseReport } from '../../../src/protocol/commands.ts';
import type { CloseTarget } from '../../../src/protocol/messages.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { workerFile } from '../../../src/runtime/worker-file.ts';

const NOBODY = 65_534;
const root = process.getuid?.() === 0;
const perl = existsSync('/usr/bin/perl');

const started: ChildProcess[] = [];
let control: ProcessControl;

beforeAll(async () => {
  if (process.platform === 'linux') control = await loadLinuxControl();
});

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Starts a program that says "ready" when it is set up; whatever it says later is in `said`. */
async function start(file: string, args: string[], options: { uid?: number } = {}) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'], ...options });
  started.push(child);
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => said.push(...text.trim().split('\n')));
  await once(child.stdout, 'data');
  return { child, pid: child.pid!, said, target: targetOf(child.pid!) };
}

const sh = (script: string, options = {}) => start('/bin/sh', ['-c', script], options);

function targetOf(pid: number): CloseTarget {
  const seen = control.look(pid)!;
  return { ...seen, name: 'pw-test-game' };
}

const close = (target: CloseTarget, waitMs = 2_000, by = control): Promise<CloseReport> =>
  closeProcess({ target, waitMs, ownPids: [process.pid] }, by, systemClock);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const runs = (pid: number) => control.look(pid) !== null;

/** Whether it has done with its exec into a program of this folder. */
function executes(pid: number, folder: string): boolean {
  const { path, execution } = control.look(pid)!;
  return path?.startsWith(folder) === true && execution !== null;
}

describe.runIf(process.platform === 'linux')('closing on Linux', () => {
  it('looks at all processes in memory that it has: a storm of closes must not grow the agent', async () => {
    const taken: number[] = [];
    for (let round = 0; round < 5; round++) {
      const before = process.memoryUsage().arrayBuffers;
      await control.relatives(new Set([1]), control.look(process.pid)!);
      taken.push(process.memoryUsage().arrayBuffers - before);
    }
    expect(Math.max(...taken)).toBeLessThan(2 ** 16);
  });

  it('K4: a process that ends when asked is closed without force', async () => {
    const game = await sh('echo ready; read nothing');
    const report = await close(game.target);
    expect(report.outcome).toBe('closed');
    expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked', 'verified']);
    expect(runs(game.pid)).toBe(false);
  });

  it('K4: without pidfds it is closed all the same', async () => {
    const game = await sh('echo ready; read nothing');
    expect((await close(game.target, 2_000, linuxControl(null))).outcome).toBe('closed');
    expect(runs(game.pid)).toBe(false);
  });

  it('K4: a process that ignores SIGTERM is forced after the wait', async () => {
    const game = await sh('trap "" TERM; echo ready; read nothing; read nothing');
    const report = await close(game.target, 300);
    expect(report.outcome).toBe('closed');
    expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked', 'forced', 'verified']);
    expect(report.waited_ms).toBeGreaterThanOrEqual(300);
    expect(runs(game.pid)).toBe(false);
  });

  it('K4: a stopped process, which cannot hear what it is asked, is forced', async () => {
    const game = await sh('echo ready; read nothing');
    process.kill(game.pid, 'SIGSTOP');
    expect((await close(game.target, 200)).outcome).toBe('closed');
    expect(runs(game.pid)).toBe(false);
  });

  it.runIf(perl)('K4: children forked without exec are closed with it', async () => {
    const script =
      '$|=1; $SIG{TERM}="IGNORE"; for (1..2) { if (!fork) { fork; sleep 60; exit } } sleep 1; print "ready\\n"; sleep 60';
    const game = await start('/usr/bin/perl', ['-e', script]);
    const children = descendants(game.pid);
    expect(children).toHaveLength(4);
    const report = await close(game.target, 100);
    expect(report.outcome).toBe('closed');
    expect([game.pid, ...children].filter(runs)).toEqual([]);
  });

  it.runIf(perl)(
    'K4: a game that leaves a fork of itself behind when it is asked is closed with that',
    async () => {
      const dodge = 'if (my $p = fork) { print "$p\\n"; exit }';
      const game = await start('/usr/bin/perl', [
        '-e',
        `$|=1; $SIG{TERM}=sub { ${dodge} }; print "ready\\n"; sleep 60 for 1..9`,
      ]);
      const report = await close(game.target, 200);
      expect(report.outcome).toBe('closed');
      expect(game.said).toHaveLength(2);
      expect(runs(Number(game.said[1]))).toBe(false);
    },
  );

  it.runIf(perl)('K4: what it forked twice, which is nobody’s child, is closed with it', async () => {
    const twice = 'if (!fork) { if (my $p = fork) { print "$p\\n"; exit } sleep 60; exit } wait';
    const game = await start('/usr/bin/perl', ['-e', `$|=1; ${twice}; sleep 60`]);
    expect((await close(game.target)).outcome).toBe('closed');
    expect(runs(Number(game.said[0]))).toBe(false);
  });

  it.runIf(perl)(
    'T6: what forks hundreds of times with a long command line is closed: it is not held for each of them',
    async () => {
      const script =
        '$|=1; $SIG{TERM}="IGNORE"; for (1..400) { if (!fork) { sleep 60; exit } } print "ready\\n"; sleep 60';
      const game = await start('/usr/bin/perl', ['-e', script, 'x'.repeat(60_000)]);
      const children = descendants(game.pid);
      expect(children).toHaveLength(400);
      const report = await closeAs(undefined, game.target, ['--max-old-space-size=16']);
      expect(report.outcome).toBe('closed');
      expect([game.pid, ...children].filter(runs)).toEqual([]);
    },
  );

  it('K4: a child that runs another program is left alone', async () => {
    const game = await sh('sleep 60 & echo ready; wait');
    const [helper] = descendants(game.pid);
    expect((await close(game.target)).outcome).toBe('closed');
    expect(runs(helper!)).toBe(true);
    process.kill(helper!, 'SIGKILL');
  });

  it('K4: a process that ended before is not_running', async () => {
    const game = await sh('echo ready; read nothing');
    game.child.kill('SIGKILL');
    await once(game.child, 'exit');
    expect((await close(game.target)).outcome).toBe('not_running');
  });

  it.runIf(perl)('K4: a zombie counts as gone', async () => {
    const script = '$|=1; if (my $p = fork) { sleep 1; print "$p\\n"; sleep 60 } else { exit 0 }';
    const parent = await start('/usr/bin/perl', ['-e', script]);
    const zombie = Number(parent.said[0]);
    expect(readFileSync(`/proc/${zombie}/stat`, 'utf8')).toContain(') Z ');
    const report = await close({ ...parent.target, pid: zombie });
    expect(report.outcome).toBe('not_running');
    expect(runs(parent.pid)).toBe(true);
  });

  it('K4: a process that became another program is not touched', async () => {
    const game = await sh('echo ready; read line; exec sleep 60');
    game.child.stdin!.write('\n');
    await until(() => readlinkSync(`/proc/${game.pid}/exe`) !== game.target.path);
    expect(await close(game.target)).toMatchObject({ outcome: 'not_running', goesOn: true });
    expect(runs(game.pid)).toBe(true);
  });

  it('K4: nor one that runs something else with the same interpreter', async () => {
    const game = await sh('echo ready; read line; exec sh -c "echo other; read nothing"');
    game.child.stdin!.write('\n');
    await until(() => game.said.includes('other'));
    expect(control.look(game.pid)?.startKey).toBe(game.target.startKey);
    expect((await close(game.target)).outcome).toBe('not_running');
    expect(runs(game.pid)).toBe(true);
  });

  it('K4: one that turns into another program when asked is not forced', async () => {
    const game = await sh('trap "exec sleep 60" TERM; echo ready; while :; do read nothing; done');
    const report = await close(game.target, 400);
    expect(report.outcome).toBe('closed');
    expect(runs(game.pid)).toBe(true);
    expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked', 'verified']);
  });

  it('K4: nor is one that executes its own interpreter anew when asked, but nobody says that it is closed', async () => {
    const game = await sh(
      'trap "exec sh -c \\"echo other; read nothing\\"" TERM; echo ready; while :; do read nothing; done',
    );
    const report = await close(game.target, 400);
    expect(report).toMatchObject({
      outcome: 'failed',
      error: expect.stringContaining('another command line'),
    });
    expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked']);
    await until(() => game.said.includes('other'));
    expect(runs(game.pid)).toBe(true);
  });

  it.runIf(perl)(
    'K4: a game that rewords its command line when asked is still the game: it is forced',
    async () => {
      const script = '$|=1; $SIG{TERM}=sub{$0="notes"; print "notes\\n"}; print "ready\\n"; sleep 60 while 1';
      const game = await start('/usr/bin/perl', ['-e', script]);
      const report = await close(game.target, 300);
      expect(game.said).toContain('notes');
      expect(report.outcome).toBe('closed');
      expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked', 'forced', 'verified']);
      expect(runs(game.pid)).toBe(false);
    },
  );

  it.runIf(perl)('K4: a child that was forked and reworded since is closed with it', async () => {
    const script = '$|=1; if (!fork) { $0="notes"; print "ready\\n"; sleep 60; exit } sleep 60';
    const game = await start('/usr/bin/perl', ['-e', script]);
    const [child] = descendants(game.pid);
    expect(control.look(child!)?.command).toBe('notes');
    expect((await close(game.target)).outcome).toBe('closed');
    expect([game.pid, child!].filter(runs)).toEqual([]);
  });

  it('K4: a game whose folder is renamed again and again is closed, by force too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pw-executor-'));
    try {
      copyFileSync('/bin/sleep', join(folder, 'player'));
      const game = await sh(
        `trap "" TERM; mkdir ${folder}/m0; mv ${folder}/player ${folder}/m0; echo ready; exec ${folder}/m0/player 60`,
      );
      await until(() => executes(game.pid, folder));
      const target = targetOf(game.pid);
      // On SIGTERM the shell ends when its `mv` has: none renames while the folder is removed.
      const mover = await sh(
        `trap exit TERM; cd ${folder}; i=0; while :; do mv m$i m$((i+1)); i=$((i+1)); [ $i = 1 ] && echo ready; sleep 0.01; done`,
      );
      const report = await close(target, 300);
      expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked', 'forced', 'verified']);
      expect(report.outcome).toBe('closed');
      expect(runs(game.pid)).toBe(false);
      expect(runs(mover.pid)).toBe(true);
      mover.child.kill('SIGTERM');
      await once(mover.child, 'exit');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('K4: a game whose file was renamed, or replaced by an update, is closed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pw-executor-'));
    try {
      for (const change of ['mv player notes', 'rm player', 'cp player new; mv new player']) {
        copyFileSync('/bin/sleep', join(folder, 'player'));
        const game = await sh(`echo ready; exec ${folder}/player 60`);
        await until(() => executes(game.pid, folder));
        const target = targetOf(game.pid);
        await sh(`cd ${folder}; ${change}; echo ready`);
        expect((await close(target)).outcome).toBe('closed');
        expect(runs(game.pid)).toBe(false);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('K4: a reused pid is never touched', async (test) => {
    const game = await sh('echo ready; read nothing');
    game.child.kill('SIGKILL');
    await once(game.child, 'exit');
    // Two processes that start in the same tick of 10 ms look alike.
    const freedAt = performance.now();
    await until(() => performance.now() > freedAt + 20);
    const other = await reusing(game.pid);
    if (!other) return test.skip('this machine does not let a test choose a pid');
    expect((await close(game.target)).outcome).toBe('not_running');
    expect(runs(game.pid)).toBe(true);
  });

  it.runIf(root)('K4: a process of another user is denied, with the reason of the system', async () => {
    const game = await sh('echo ready; read nothing');
    const report = await closeAs(NOBODY, game.target);
    expect(report).toMatchObject({ outcome: 'denied', pid: game.pid });
    expect(report.error).toMatch(/EPERM/);
    expect(runs(game.pid)).toBe(true);
  });

  it.runIf(root)('K4: a program of its own account is closed without privileges', async () => {
    const game = await sh('trap "" TERM; echo ready; read nothing; read nothing', { uid: NOBODY });
    expect(await closeAs(NOBODY, game.target)).toMatchObject({ outcome: 'closed' });
    expect(runs(game.pid)).toBe(false);
  });
});

function descendants(pid: number): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  const direct = listed.split(' ').filter(Boolean).map(Number);
  return [...direct, ...direct.flatMap(descendants)];
}

/** Starts the same program under a pid that was just freed, as root can; null where it does not work. */
async function reusing(pid: number): Promise<ChildProcess | null> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    } catch {
      return null;
    }
    const { child } = await sh('echo ready; read nothing');
    if (child.pid === pid) return child;
    child.kill('SIGKILL');
  }
  return null;
}

/** Runs the built executor in a process of its own, of another account or in less memory. */
async function closeAs(
  uid: number | undefined,
  target: CloseTarget,
  nodeOptions: readonly string[] = [],
): Promise<CloseReport> {
  const task = { target, waitMs: 200, ownPids: [] };
  const script = `import(${JSON.stringify(workerFile('executor').href)})
    .then((m) => m.close({ tasks: [${JSON.stringify(task)}], beat: new SharedArrayBuffer(1024) })).then(([r]) => console.log(JSON.stringify(r)))`;
  const child = spawn(process.execPath, [...nodeOptions, '-e', script], {
    ...(uid !== undefined && { uid, gid: uid }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  await once(child, 'close');
  return JSON.parse(out);
}
