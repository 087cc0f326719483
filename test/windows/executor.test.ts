/** K4, closing on Windows for real, under Wine: what probes/executor.probe.ts acts out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWine, type WineProgram } from './wine.ts';

let probe: WineProgram;
beforeAll(() => {
  probe = startWine(['probes/executor.probe.js']);
});
afterAll(() => probe.dispose());

const stages = (report: { stages: { stage: string }[] }) => report.stages.map(({ stage }) => stage);

test('a game that closes its window when asked is not forced', async () => {
  const { report, runs } = await probe.facts('window');
  console.log(`windows: asked and gone after ${report.waited_ms} ms`);
  expect(report.outcome).toBe('closed');
  expect(stages(report)).toEqual(['accepted', 'asked', 'verified']);
  expect(runs).toBe(false);
});

test('an asked close that only hides the window is forced after the wait, and verified', async () => {
  const { report, runs } = await probe.facts('tray');
  expect(report.outcome).toBe('closed');
  expect(stages(report)).toEqual(['accepted', 'asked', 'forced', 'verified']);
  expect(report.waited_ms).toBeGreaterThanOrEqual(1_500);
  expect(runs).toBe(false);
});

test('a game without a window cannot be asked and is forced at once', async () => {
  const { report, runs } = await probe.facts('no window');
  console.log(`windows: forced and gone after ${report.waited_ms} ms`);
  expect(report.outcome).toBe('closed');
  // Without "asked" there was no wait.
  expect(stages(report)).toEqual(['accepted', 'forced', 'verified']);
  expect(runs).toBe(false);
});

test('a child that runs the same program is closed with it', async () => {
  const { report, children, childRuns } = await probe.facts('family');
  expect(report.outcome).toBe('closed');
  expect(children).toBe(1);
  expect(childRuns).toBe(false);
});

test('a game that is gone is not running', async () => {
  expect((await probe.facts('gone')).report.outcome).toBe('not_running');
});

test('a pid that now belongs to another program is never touched', async () => {
  const { pid, seen, report, asked, forced, otherSeen } = await probe.facts('pid reused');
  expect(report.outcome).toBe('not_running');
  expect([asked, forced]).toEqual(['gone', 'gone']);
  expect(otherSeen.pid).toBe(pid);
  expect(otherSeen.startKey).not.toBe(seen.startKey);
});

test('a process that is another program than the one to close is never touched', async () => {
  const { report, runs } = await probe.facts('another image');
  expect(report.outcome).toBe('not_running');
  expect(runs).toBe(true);
});

test('a close is denied: a failure with its reason, never "closed"', async () => {
  const { report, runs } = await probe.facts('may be seen, not ended');
  expect(report).toMatchObject({ outcome: 'denied', error: expect.stringContaining('ACCESS_DENIED') });
  expect(runs).toBe(true);
  const unseen = (await probe.facts('may not be seen')).report;
  expect(unseen).toMatchObject({ outcome: 'denied', error: expect.stringContaining('ACCESS_DENIED') });
});

test('a game that has no window yet is closed all the same', async () => {
  const { report, runs } = await probe.facts('closed while it starts');
  expect(report.outcome).toBe('closed');
  expect(runs).toBe(false);
  expect((await probe.exited).code).toBe(0);
});
