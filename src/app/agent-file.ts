/** DATA_DIR/agent.json (contract C3): how others find the running agent. Written whole, removed by a clean stop. */
import { rmSync } from 'node:fs';
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

/** `makeRoom` gives up what is kept for a full disk; true when there was something. */
export function writeAgentFile(
  dataDir: string,
  agent: AgentFile,
  makeRoom: () => boolean = () => false,
): void {
  const write = () => writeWholeFile(path(dataDir), `${JSON.stringify(agent, null, 2)}\n`, 0o644);
  try {
    write();
  } catch (error) {
    if (!makeRoom()) throw error;
    write();
  }
}

export function removeAgentFile(dataDir: string): void {
  try {
    rmSync(path(dataDir), { force: true });
  } catch {
    // A disk that has turned read-only keeps it; its pid says that nobody is there.
  }
}
