/**
 * `npm run conformance -- --url http://127.0.0.1:8001 --data-dir DIR` (or `--token-file F --view-token-file F`):
 * the conformance suite against an agent that runs already; without flags against the built one. Tokens are passed
 * as files, never as values. `--game NAME` names an executable that the agent's configuration calls a game.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE =
  'npm run conformance -- [--url URL] [--data-dir DIR] [--token-file FILE] [--view-token-file FILE] [--game NAME]';

/** What this was called with is wrong: one sentence, and the exit code of usage. */
function refuse(sentence) {
  console.error(sentence);
  process.exit(64);
}

function options() {
  const options = Object.fromEntries(
    ['url', 'data-dir', 'token-file', 'view-token-file', 'game'].map((name) => [name, { type: 'string' }]),
  );
  try {
    return parseArgs({ options }).values;
  } catch {
    return refuse(USAGE);
  }
}

/** What the agent that runs there says of itself. */
function agentOf(dataDir) {
  const file = join(dataDir, 'agent.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = error.code ?? 'it is not JSON';
    return refuse(`${file} cannot be read (${why}): name the --data-dir of an agent that runs.`);
  }
}

const values = options();
const running = values['data-dir'] ? agentOf(values['data-dir']) : null;
const url = values.url ?? (running ? `http://127.0.0.1:${running.port}` : undefined);
const tokenFile = values['token-file'] ?? running?.token_file;
const viewTokenFile = values['view-token-file'] ?? running?.view_token_file;
if (url && !tokenFile) refuse('give --data-dir or --token-file beside --url');
const env = {
  ...process.env,
  ...(url && { PLAYWARDEN_TEST_URL: url, PLAYWARDEN_TEST_TOKEN_FILE: tokenFile }),
  ...(viewTokenFile && { PLAYWARDEN_TEST_VIEW_TOKEN_FILE: viewTokenFile }),
  ...(values.game && { PLAYWARDEN_TEST_GAME: values.game }),
};
// One file at a time: they share the agent and its eight clients.
const args = ['vitest', 'run', 'test/conformance', ...(url ? ['--no-file-parallelism'] : [])];
const child = spawn('npx', args, { env, stdio: 'inherit', shell: process.platform === 'win32' });
child.on('exit', (code) => process.exit(code ?? 1));
