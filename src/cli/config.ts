/** `playwarden config check FILE` and `playwarden config print` (contract section 1). */
import { describeErrors, readConfig } from '../app/config-file.ts';
import { DEFAULT_CONFIG } from '../protocol/config.ts';
import { EXIT, type ExitCode } from '../protocol/exit-codes.ts';

export function checkConfig(file: string): ExitCode {
  const read = readConfig(file, '');
  if (read.ok) {
    console.log('ok');
    return EXIT.ok;
  }
  console.error(describeErrors(read.errors));
  return EXIT.config;
}

export function printConfig(): ExitCode {
  console.log(JSON.stringify(DEFAULT_CONFIG, null, 2));
  return EXIT.ok;
}
