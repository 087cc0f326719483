/** What the agent asks of Windows itself: its clocks and which boot it is. */

import { systemClocks } from '../../../src/actors/session/clocks.ts';
import { bootId } from '../../../src/app/boot-id.ts';
import { Games, scenario } from './kit.ts';

const READINGS = 20;
const APART_MS = 50;

const games = new Games();

await scenario('clocks', games, async () => {
  const clocks = await systemClocks();
  const readings = [];
  for (let n = 0; n < READINGS; n++) {
    readings.push(clocks.read());
    await new Promise((resolve) => setTimeout(resolve, APART_MS));
  }
  const startedMs = performance.now();
  for (let n = 0; n < 1_000; n++) clocks.read();
  return { readings, microsecondsARead: performance.now() - startedMs };
});

await scenario('boot', games, async () => ({ boot: bootId() }));
