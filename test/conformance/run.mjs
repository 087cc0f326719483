/**
 * `npm run conformance -- --url http://127.0.0.1:8001 --data-dir DIR` (or `--token-file F --view-token-file F`):
 * the conformance suite against an agent that runs already; without flags against the built one. Tokens are passed
 * as files, never as values. `--game NAME` names an executable that the agent's configuration calls a game.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    'data-dir': { type: 'string' },
    'token-file': { type: 'string' },
    'view-token-file': { type: 'string' },
    game: { type: 'string' },
  },
});
const dataDir = values['data-dir'];
const running = dataDir ? JSON.parse(readFileSync(join(dataDir, 'agent.json'), 'utf8')) : null;
const url = values.url ?? (running ? `http://127.0.0.1:${running.port}` : undefined);
const tokenFile = values['token-file'] ?? running?.token_file;
const viewTokenFile = values['view-token-file'] ?? running?.view_token_file;
if (url && !tokenFile) {
  console.error('give --data-dir or --token-file beside --url');
  process.exit(64);
}
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
