/** The scanner's thread: nobody imports this file. */
import type { FromScanner, ScannerCalls, ScannerInit, ToScanner } from '../../protocol/messages.ts';
import { systemClock } from '../../runtime/clock.ts';
import { runActor } from '../../runtime/host.ts';
import { GIVE_BACK_AFTER_MS, giveBackMemory } from './memory.ts';
import { sourceFactories } from './platform.ts';
import { startScanner } from './scanner.ts';
import { shortenSlice } from './slice.ts';
import { usageReader } from './usage.ts';

runActor<ScannerInit, ToScanner, FromScanner, ScannerCalls>((host) => {
  setTimeout(giveBackMemory, GIVE_BACK_AFTER_MS).unref();
  shortenSlice();
  return startScanner({
    host,
    clock: systemClock,
    platform: process.platform,
    factories: sourceFactories(),
    usage: usageReader(),
  });
});
