/** The scanner as it is, but that each message also says when it was posted. */
import { sourceFactories } from '../../../src/actors/scanner/platform.ts';
import { startScanner } from '../../../src/actors/scanner/scanner.ts';
import { shortenSlice } from '../../../src/actors/scanner/slice.ts';
import { usageReader } from '../../../src/actors/scanner/usage.ts';
import type { FromScanner, ScannerCalls, ScannerInit, ToScanner } from '../../../src/protocol/messages.ts';
import { monotonicMs, systemClock } from '../../../src/runtime/clock.ts';
import { runActor } from '../../../src/runtime/host.ts';

export interface Stamped {
  readonly message: FromScanner;
  readonly postedMs: number;
}

runActor<ScannerInit, ToScanner, Stamped, ScannerCalls>((host) => {
  shortenSlice();
  return startScanner({
    host: { ...host, post: (message) => host.post({ message, postedMs: monotonicMs() }) },
    clock: systemClock,
    platform: process.platform,
    factories: sourceFactories(),
    usage: usageReader(),
  });
});
