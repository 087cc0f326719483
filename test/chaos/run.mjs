/**
 * `npm run chaos -- [what] [--rounds N] [--minutes M]`: a test of faults in its long form, `supervision` if none is named;
 * `delivery` is all that delivery is proved by, one after another. The same tests run short in `npm test` or in CI; both
 * bounds end each, whichever comes first. Each says how many faults it injected and fails when there were none.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/** What can be run: its test file, and how many rounds its long form has. */
const LONG_FORMS = {
  'power-loss': { file: 'test/store/power-loss.test.ts', rounds: 2_000 },
  'disk-faults': { file: 'test/store/disk-faults.test.ts', rounds: 10_000 },
  'disk-full': { file: 'test/store/disk-full.test.ts', rounds: 20 },
  damage: { file: 'test/store/damage.test.ts', rounds: 1 },
  restarts: { file: 'test/app/restarts.test.ts', rounds: 5_000 },
  model: { file: 'test/transport/delivery-model.test.ts', rounds: 2_000 },
  kill: { file: 'test/client/kill.test.ts', rounds: 200 },
  network: { file: 'test/client/switches.test.ts', rounds: 200 },
  leaks: { file: 'test/runtime/leaks.test.ts', rounds: 1_000 },
  supervision: { file: 'test/chaos/supervision.test.ts', rounds: 1_000 },
};
const TOGETHER = {
  delivery: ['power-loss', 'disk-faults', 'disk-full', 'damage', 'model', 'kill', 'network'],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, minutes: { type: 'string' }, help: { type: 'boolean' } },
});
const what = positionals[0] ?? 'supervision';
const forms = Object.hasOwn(LONG_FORMS, what) ? [what] : Object.hasOwn(TOGETHER, what) ? TOGETHER[what] : [];
if (values.help || forms.length === 0) {
  const names = [...Object.keys(TOGETHER), ...Object.keys(LONG_FORMS)];
  console.error(`npm run chaos -- [${names.join('|')}] [--rounds N] [--minutes M]`);
  process.exit(values.help ? 0 : 64);
}

function run({ file, rounds }) {
  const env = {
    ...process.env,
    PLAYWARDEN_CHAOS_ROUNDS: values.rounds ?? String(rounds),
    PLAYWARDEN_CHAOS_MINUTES: values.minutes ?? '30',
  };
  const child = spawn('npx', ['vitest', 'run', file], {
    env,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

for (const form of forms) process.exitCode = (await run(LONG_FORMS[form])) || process.exitCode;
