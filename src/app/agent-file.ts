/** DATA_DIR/agent.json (contract C3): how others find the running agent. Written whole, removed by a clean stop. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeWholeFile } from './whole-file.ts';

export interface AgentFile {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly agent_id: string;
  readonly started_at: string;
  readonly epoch: string;
  readonly token_file: string;
  readonly view_token_file: string;
  readonly source: string;
}

const path = (dataDir: string) => join(dataDir, 'agent.json');

export function writeAgentFile(dataDir: string, agent: AgentFile): void {
  writeWholeFile(path(dataDir), `${JSON.stringify(agent, null, 2)}\n`, 0o644);
}

export function removeAgentFile(dataDir: string): void {
  rmSync(path(dataDir), { force: true });
}

/** What the file says, or null when there is none or it is not whole. Whether that pid lives is another question. */
export function readAgentFile(dataDir: string): AgentFile | null {
  try {
    const agent: unknown = JSON.parse(readFileSync(path(dataDir), 'utf8'));
    return isAgentFile(agent) ? agent : null;
  } catch {
    return null;
  }
}

function isAgentFile(value: unknown): value is AgentFile {
  return (
    typeof value === 'object' && value !== null && 'pid' in value && 'port' in value && 'token_file' in value
  );
}

/** Whether a process with this pid exists (it may belong to somebody else). */
export function pidLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
