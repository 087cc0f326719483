/** What the agent asks of Windows itself: its clocks, which boot it is, and who may do what with a file. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClocks } from '../../../src/actors/session/clocks.ts';
import { bootId } from '../../../src/app/boot-id.ts';
import { windowsSecurity } from '../../../src/app/windows-security.ts';
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

await scenario('boot', games, async () => ({ boot: await bootId() }));

await scenario('rights', games, async () => {
  const security = windowsSecurity();
  const folder = join(games.dir, 'rights');
  mkdirSync(folder, { recursive: true });
  const strangers: Record<string, readonly string[]> = {};
  for (const rights of ['directory', 'private', 'shared'] as const) {
    const path = rights === 'directory' ? folder : join(folder, rights);
    if (rights !== 'directory') writeFileSync(path, '');
    strangers[`${rights}, as it was made`] = security.strangers(path, rights);
    security.setRights(path, rights);
    strangers[rights] = security.strangers(path, rights);
    // The same list, judged by what only the agent may do.
    strangers[`${rights}, to read`] = security.strangers(path, 'private');
  }
  return { strangers };
});
games.remove();
