/**
 * Finds the agent of a data directory (contract C3): agent.json, its process, its port, its token. A token is read
 * and sent only when the process lives and the port is not somebody else's.
 */
import { join } from 'node:path';
import * as z from 'zod/mini';
import { NotRunningError } from './not-running.ts';
import { readPlainFile } from './plain-file.ts';
import { portIsOwnedBy } from './port-owner.ts';
import type { Endpoint } from './ports.ts';

const agentFile = z.object({
  pid: z.int().check(z.positive()),
  host: z.string(),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  version: z.string(),
  agent_id: z.string(),
  started_at: z.string(),
  epoch: z.string(),
  token_file: z.string(),
  view_token_file: z.string(),
  source: z.string(),
});
/** What a running agent says of itself in `DATA_DIR/agent.json`. */
export type AgentFile = z.infer<typeof agentFile>;

/** Rejects with NotRunningError unless a live agent of this data directory holds the port it names. */
export async function findAgent(dataDir: string): Promise<AgentFile> {
  const file = join(dataDir, 'agent.json');
  const read = await readJson(file);
  if (read === HIDDEN) throw new NotRunningError(`this account may not read ${file}`, true);
  const agent = agentFile.safeParse(read).data;
  if (!agent)
    throw new NotRunningError(`no agent runs with this data directory (${file} is missing or not whole)`);
  if (!alive(agent.pid))
    throw new NotRunningError(`the agent of ${dataDir} has ended (process ${agent.pid} is gone)`);
  if (!(await portIsOwnedBy(agent.pid, agent.port))) {
    throw new NotRunningError(`port ${agent.port} does not belong to the agent (process ${agent.pid})`);
  }
  return agent;
}

/** `role` left out: the control token where this account may read it, else the view token. */
export async function findEndpoint(dataDir: string, role?: 'view' | 'control'): Promise<Endpoint> {
  const agent = await findAgent(dataDir);
  const files = {
    control: [agent.token_file],
    view: [agent.view_token_file],
    any: [agent.token_file, agent.view_token_file],
  }[role ?? 'any'];
  const token = await firstReadable(files);
  if (token === null) throw new NotRunningError(`${files.join(' and ')} cannot be read by this account`);
  const host = agent.host === '::1' ? '[::1]' : '127.0.0.1';
  return { url: `http://${host}:${agent.port}`, token };
}

async function firstReadable(files: readonly string[]): Promise<string | null> {
  for (const file of files) {
    const text = await readPlainFile(file).catch(() => '');
    if (text.trim()) return text.trim();
  }
  return null;
}

const HIDDEN = Symbol('hidden');

/** null: it is not there or not whole; HIDDEN: this account may not know. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readPlainFile(file));
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES' ? HIDDEN : null;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives under another account, as the agent of a child's PC should.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
