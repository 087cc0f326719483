/** Programs that tell of games, behind one interface: the agent by source and transport, and what it is compared with. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { benchAgent } from '../harness/agent.ts';
import type { Bench } from '../harness/bench.ts';
import { start } from '../harness/children.ts';
import { connectBare, connectPoll, connectSocket, type OnEvent } from '../harness/clients.ts';

/** One start or stop, when the client's handler had it. */
export interface Notice {
  readonly kind: 'start' | 'stop';
  readonly pid: number;
  readonly atMs: number;
  /** Of the bare floor: when its thread had read the event, and when its main thread had the message. */
  readonly readMs?: number;
  readonly heardMs?: number;
}

export interface Candidate {
  readonly name: string;
  /** Why it cannot run here, in words; null: it can. */
  missing(): string | null;
  /** Starts it with a client connected; returns its pid. The bench ends both. */
  start(bench: Bench, game: string, onNotice: (notice: Notice) => void): Promise<number>;
}

export type Source = 'proc-events' | 'procfs' | 'ps-list';
export type Transport = 'websocket' | 'long poll' | '2 s poll';

export function agentCandidate(source: Source, transport: Transport = 'websocket'): Candidate {
  return {
    name: transport === 'websocket' ? `agent, ${source}` : `agent, ${source}, ${transport}`,
    missing: () => null,
    async start(bench, game, onNotice) {
      const agent = await benchAgent(bench, { game, source });
      const onEvent: OnEvent = (event, atMs) => {
        if (event.type !== 'roblox_event') return;
        const kind = event.event_type === 'roblox_started' ? 'start' : 'stop';
        onNotice({ kind, pid: event.data.process_info.pid, atMs });
      };
      const clientId = 'bench';
      const client =
        transport === 'websocket'
          ? await connectSocket(agent, { clientId }, onEvent)
          : connectPoll(
              agent,
              { clientId, ...(transport === 'long poll' ? { waitSeconds: 25 } : { everyMs: 2_000 }) },
              onEvent,
            );
      bench.owns(client, (c) => c.close());
      return agent.pid;
    },
  };
}

function bareCandidate(name: string, command: readonly string[], missing: () => string | null): Candidate {
  const [file = '', ...args] = command;
  return {
    name,
    missing,
    async start(bench, game, onNotice) {
      const child = bench.owns(start(file, [...args, game]), (c) => c.end());
      const client = await connectBare(Number(await child.line()), (text, atMs) => {
        onNotice({ ...(JSON.parse(text) as Omit<Notice, 'atMs'>), atMs });
      });
      bench.owns(client, (c) => c.close());
      return child.pid;
    },
  };
}

const bundle = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const PSUTIL_AGENT = fileURLToPath(new URL('../peers/psutil_agent.py', import.meta.url));
/** The Python that has psutil and websockets; Debian's own is not always the first in PATH. */
const PYTHON = process.env.BENCH_PYTHON ?? '/usr/bin/python3';

export const bareFloor = bareCandidate('bare floor', [process.execPath, bundle('bare-floor')], () => null);
export const psListAgent = bareCandidate(
  'ps-list agent, 1 s',
  [process.execPath, bundle('ps-list-agent')],
  () => null,
);
export const psutilAgent = bareCandidate('psutil agent, 2 s', [PYTHON, PSUTIL_AGENT], () =>
  missingPython('psutil', 'websockets'),
);

/** `missing: python3-psutil` in words, or null. */
export function missingPython(...modules: readonly string[]): string | null {
  const absent = modules.filter((name) => {
    try {
      execFileSync(PYTHON, ['-c', `import ${name}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return absent.length > 0 ? `missing: ${absent.map((name) => `python3-${name}`).join(', ')}` : null;
}

/** CPU of one scan by psutil, ms. */
export function psutilScanMs(rounds: number): number {
  const [cpu] = execFileSync(PYTHON, [PSUTIL_AGENT, '--scan', String(rounds)], { encoding: 'utf8' }).split(
    ' ',
  );
  return Number(cpu);
}
