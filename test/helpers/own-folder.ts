/**
 * For a file of tests of the command line: each test gets a folder of its own, the command line on a data directory in
 * it, and agents there that go with the test.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Agent, type AgentOptions, startAgent } from './agent.ts';
import { type Ended, runCli } from './cli.ts';

export interface OwnFolder {
  /** A path in this test's folder; the data directory is `data`. */
  inFolder(path: string): string;
  /** A real agent on this test's data directory. */
  agentOf(options?: AgentOptions): Promise<Agent>;
  /** Runs the command line to its end, on this test's data directory. */
  cli(...args: string[]): Promise<Ended>;
}

/** Call it once, at the top of the file. */
export function ownFolder(): OwnFolder {
  let folder = '';
  let agents: Agent[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'playwarden-cli-'));
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.dispose()));
    agents = [];
    rmSync(folder, { recursive: true, force: true });
  });

  const inFolder = (path: string) => join(folder, path);
  return {
    inFolder,
    async agentOf(options = {}) {
      const agent = await startAgent({ dataDir: inFolder('data'), ...options });
      agents.push(agent);
      return agent;
    },
    cli: (...args) => runCli(args, { PLAYWARDEN_DATA_DIR: inFolder('data') }),
  };
}
