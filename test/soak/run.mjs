/**
 * `npm run soak -- flood|deaths|fuzz`: a test of the front door or of commands in its long form. The same test runs
 * short in `npm test`. Without a name: lists what there is.
 */
import { spawn } from 'node:child_process';

/** Its test file, and what makes it long. */
const LONG_FORMS = {
  flood: { file: 'test/e2e/flood.test.ts', env: { PLAYWARDEN_FLOOD_SECONDS: '60' } },
  deaths: { file: 'test/e2e/command-deaths.test.ts', env: { PLAYWARDEN_DEATHS: '500' } },
  fuzz: { file: 'test/transport/fuzz.test.ts', env: { PLAYWARDEN_FUZZ: '20000' } },
};

const what = process.argv[2] ?? '';
const form = Object.hasOwn(LONG_FORMS, what) ? LONG_FORMS[what] : undefined;
if (!form) {
  console.error(`npm run soak -- ${Object.keys(LONG_FORMS).join('|')}`);
  process.exit(64);
}
const child = spawn('npx', ['vitest', 'run', form.file], {
  env: { ...form.env, ...process.env },
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
child.on('exit', (code) => process.exit(code ?? 1));
