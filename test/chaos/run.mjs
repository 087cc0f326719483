/**
 * `npm run chaos -- [what] [--rounds N] [--minutes M]`: a test of faults in its long form, `supervision` if none is named.
 * The same test runs short in `npm test` or in CI; both bounds end it, whichever comes first. `--help` lists what there is.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/** What can be run: its test file, and how many rounds its long form has. */
const LONG_FORMS = {
  'power-loss': { file: 'test/store/power-loss.test.ts', rounds: 2_000 },
  'disk-faults': { file: 'test/store/disk-faults.test.ts', rounds: 10_000 },
  delivery: { file: 'test/transport/delivery-model.test.ts', rounds: 2_000 },
  leaks: { file: 'test/runtime/leaks.test.ts', rounds: 1_000 },
  supervision: { file: 'test/chaos/supervision.test.ts', rounds: 1_000 },
  kill: { file: 'test/client/kill.test.ts', rounds: 200 },
  network: { file: 'test/client/switches.test.ts', rounds: 200 },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, minutes: { type: 'string' }, help: { type: 'boolean' } },
});
const what = positionals[0] ?? 'supervision';
const form = Object.hasOwn(LONG_FORMS, what) ? LONG_FORMS[what] : undefined;
if (values.help || !form) {
  console.error(`npm run chaos -- [${Object.keys(LONG_FORMS).join('|')}] [--rounds N] [--minutes M]`);
  process.exit(values.help ? 0 : 64);
}
const env = {
  ...process.env,
  PLAYWARDEN_CHAOS_ROUNDS: values.rounds ?? String(form.rounds),
  PLAYWARDEN_CHAOS_MINUTES: values.minutes ?? '30',
};
const child = spawn('npx', ['vitest', 'run', form.file], {
  env,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
child.on('exit', (code) => process.exit(code ?? 1));
