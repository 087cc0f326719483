/** The scanner's thread: nobody imports this file. */
import type { FromScanner, ScannerCalls, ScannerInit, ToScanner } from '../../protocol/messages.ts';
import { systemClock } from '../../runtime/clock.ts';
import { runActor } from '../../runtime/host.ts';
import { GIVE_BACK_AFTER_MS, giveBackMemory } from './memory.ts';
import { sourceFactories } from './platform.ts';
import { startScanner } from './scanner.ts';
import { usageReader } from './usage.ts';
import { releaseScanner, wakeCell, wakeScanner } from './wake.ts';

runActor<ScannerInit, ToScanner, FromScanner, ScannerCalls>((host) => {
  const cell = host.init.wakeFd ?? wakeCell();
  // After an uncaught exception the thread can only end when its read has: nobody else would wake it in time.
  process.once('exit', () => {
    wakeScanner(cell);
    releaseScanner(cell);
  });
  setTimeout(giveBackMemory, GIVE_BACK_AFTER_MS).unref();
  return startScanner({
    host,
    clock: systemClock,
    platform: process.platform,
    factories: sourceFactories((fd) => Atomics.store(cell, 0, fd)),
    usage: usageReader(),
  });
});
