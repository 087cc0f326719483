/** Programs that tell of games, behind one interface: the agent by source and transport, and what it is compared with. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { benchAgent } from '../harness/agent.ts';
import { type Bench, message } from '../harness/bench.ts';
import { type Child, start } from '../harness/children.ts';
import { type Client, connectBare, connectPoll, connectSocket, type OnEvent } from '../harness/clients.ts';
import { KernelStamps } from '../harness/stamps.ts';

/** One start or stop, when the client's handler had it. */
export interface Notice {
  readonly kind: 'start' | 'stop';
  readonly pid: number;
  readonly atMs: number;
  /** Of the bare floor: when its thread had read the event, and when its main thread had the message. */
  readonly readMs?: number;
  readonly heardMs?: number;
}

/** A candidate that runs, with a client connected to it. */
export interface Running {
  /** Of its present life. */
  readonly pid: number;
  /** kill -9, the next life at once, and the client connected to it again. */
  crash(): Promise<void>;
}

export interface Candidate {
  /** In the ids of its measures. */
  readonly id: string;
  readonly name: string;
  /** Why it cannot run here, in words; null: it can. */
  missing(): string | null;
  /** Starts it with a client connected. The bench ends both. */
  start(bench: Bench, game: string, onNotice: (notice: Notice) => void): Promise<Running>;
}

export type Source = 'proc-events' | 'procfs' | 'ps-list';
export type Transport = 'websocket' | 'long poll' | '2 s poll';

export function agentCandidate(source: Source, transport: Transport = 'websocket'): Candidate {
  const name = transport === 'websocket' ? `agent, ${source}` : `agent, ${source}, ${transport}`;
  const polls = transport === 'long poll' ? { waitSeconds: 25 } : { everyMs: 2_000 };
  return {
    id: 'agent',
    name,
    missing: () => null,
    async start(bench, game, onNotice) {
      const { agent } = await benchAgent(bench, { game, source });
      const seen = new Set<string>();
      const onEvent: OnEvent = (event, atMs) => {
        // What came before a crash can come again; a client drops it by its id.
        if (event.type !== 'roblox_event' || seen.has(event.meta.id)) return;
        seen.add(event.meta.id);
        const kind = event.event_type === 'roblox_started' ? 'start' : 'stop';
        onNotice({ kind, pid: event.data.process_info.pid, atMs });
      };
      const connected = async (): Promise<Client> => {
        const server = { port: agent.port, token: agent.token('control') };
        if (transport === 'websocket') return connectSocket(server, { clientId: 'bench' }, onEvent);
        return connectPoll(server, { clientId: 'bench', ...polls }, onEvent);
      };
      let client = await connected();
      bench.owns(null, () => client.close());
      return {
        get pid() {
          return agent.pid;
        },
        async crash() {
          await agent.restart('SIGKILL');
          client.close();
          client = await connected();
        },
      };
    },
  };
}

function bareCandidate(
  names: Pick<Candidate, 'id' | 'name'>,
  command: readonly string[],
  missing: () => string | null,
): Candidate {
  const [file = '', ...args] = command;
  return {
    ...names,
    missing,
    async start(bench, game, onNotice) {
      const live = async (): Promise<{ readonly child: Child; readonly client: Client }> => {
        const child = bench.owns(start(file, [...args, game]), (c) => c.end());
        const client = await connectBare(Number(await child.line()), (text, atMs) => {
          onNotice({ ...(JSON.parse(text) as Omit<Notice, 'atMs'>), atMs });
        });
        bench.owns(client, (c) => c.close());
        return { child, client };
      };
      let life = await live();
      return {
        get pid() {
          return life.child.pid;
        },
        async crash() {
          life.child.process.kill('SIGKILL');
          await life.child.exited;
          life = await live();
        },
      };
    },
  };
}

const bundle = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const PSUTIL_AGENT = fileURLToPath(new URL('../peers/psutil_agent.py', import.meta.url));
/** The Python that has psutil and websockets; Debian's own is not always the first in PATH. */
const PYTHON = process.env.BENCH_PYTHON ?? '/usr/bin/python3';

export const bareFloor = bareCandidate(
  { id: 'floor', name: 'bare floor' },
  [process.execPath, bundle('bare-floor')],
  processEventsMissing,
);
export const psListAgent = bareCandidate(
  { id: 'ps-list', name: 'ps-list agent, 1 s' },
  [process.execPath, bundle('ps-list-agent')],
  () => null,
);
export const psutilAgent = bareCandidate(
  { id: 'psutil', name: 'psutil agent, 2 s' },
  [PYTHON, PSUTIL_AGENT],
  () => missingPython('psutil', 'websockets'),
);

function processEventsMissing(): string | null {
  try {
    new KernelStamps().close();
    return null;
  } catch (error) {
    return message(error);
  }
}

/** Modules of Python → why they cannot be used, with the Debian packages that have them; null: they can. */
export function missingPython(...modules: readonly string[]): string | null {
  const absent = modules.filter((name) => {
    try {
      execFileSync(PYTHON, ['-c', `import ${name}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return absent.length > 0 ? `not installed: ${absent.map((name) => `python3-${name}`).join(', ')}` : null;
}

/** CPU of one scan by psutil, ms. */
export function psutilScanMs(rounds: number): number {
  const [cpu] = execFileSync(PYTHON, [PSUTIL_AGENT, '--scan', String(rounds)], { encoding: 'utf8' }).split(
    ' ',
  );
  return Number(cpu);
}
