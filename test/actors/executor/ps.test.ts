/** Closing with nothing but `ps`: written for macOS, tried here on what this machine runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeProcess } from '../../../src/actors/executor/close.ts';
import { parseLine, psControl } from '../../../src/actors/executor/platform/ps.ts';
import { joinedCommandLine, keptCommand } from '../../../src/protocol/command-line.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

async function start(script: string) {
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  started.push(child);
  await once(child.stdout, 'data');
  const { startKey, path, command } = psControl().look(child.pid!)!;
  return { child, target: { pid: child.pid!, startKey, name: 'pw-test-game', path, command } };
}

const close = (target: Awaited<ReturnType<typeof start>>['target'], waitMs: number) =>
  closeProcess({ target, waitMs, ownPids: [process.pid] }, psControl(), systemClock);

describe.skipIf(process.platform === 'win32')('closing with ps', () => {
  it('K4: asks, and forces what does not listen', async () => {
    const polite = await start('echo ready; read nothing');
    expect((await close(polite.target, 3_000)).stages?.map((s) => s.stage)).toEqual([
      'accepted',
      'asked',
      'verified',
    ]);
    const deaf = await start('trap "" TERM; echo ready; read nothing; read nothing');
    const report = await close(deaf.target, 200);
    expect(report.outcome).toBe('closed');
    expect(report.stages?.map((s) => s.stage)).toEqual(['accepted', 'asked', 'forced', 'verified']);
  });

  it('K4: what ended or became another program is not_running', async () => {
    const game = await start('echo ready; read nothing');
    const other = { ...game.target, command: '/bin/sh -c something else' };
    expect((await close(other, 0)).outcome).toBe('not_running');
    expect((await close({ ...game.target, startKey: '1' }, 0)).outcome).toBe('not_running');
    game.child.kill('SIGKILL');
    await once(game.child, 'exit');
    expect((await close(game.target, 0)).outcome).toBe('not_running');
  });
});

it.each([
  ['of a program under Wine', '/usr/bin/wine64 C:\\Play.exe --app'],
  ['that is long', `/opt/player ${'x'.repeat(10_000)} --join 1`],
])('the command line %s is the one that the scanner keeps', (_, said) => {
  const [seen] = parseLine(`  123     1 S    Sun Nov 23 17:52:03 2026 ${said}`);
  expect(seen?.command).toBe(keptCommand(joinedCommandLine(said).text));
});
