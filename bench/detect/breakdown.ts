/** Where the time from the kernel to the client goes: the hot path from the agent's own parts, stamped in between. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Case } from '../harness/bench.ts';
import { type Child, start } from '../harness/children.ts';
import { connectSocket } from '../harness/clients.ts';
import { crowd, workFolder } from '../harness/native.ts';
import type { Candidate } from '../peers/candidates.ts';
import { playRound } from '../peers/rounds.ts';
import { summarize } from '../report/samples.ts';
import type { Trace } from './traced/main.ts';

const TRACED = fileURLToPath(new URL('./traced.js', import.meta.url));

export const breakdown: Case = {
  name: 'breakdown',
  deadlineMs: 60_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(300, 20)), (c) => c.end());
    let child: Child | null = null;
    let traces: readonly Trace[] = [];
    const candidate: Candidate = {
      id: 'traced',
      name: 'traced',
      missing: () => null,
      async start(round, game, onNotice) {
        const dir = join(workFolder(), `traced-${game}`);
        mkdirSync(dir);
        child = round.owns(start(process.execPath, [TRACED, game, dir], { ipc: true }), async (c) => {
          traces = await askFor(c);
          await c.end();
        });
        const [port, token = ''] = (await child.line()).split(' ');
        const server = { port: Number(port), token };
        const client = await connectSocket(server, { clientId: 'bench' }, (event, atMs) => {
          if (event.type !== 'roblox_event') return;
          const kind = event.event_type === 'roblox_started' ? 'start' : 'stop';
          onNotice({ kind, pid: event.data.process_info.pid, atMs });
        });
        round.owns(client, (c) => c.close());
        return { pid: child.pid, crash: () => Promise.reject(new Error('it is not crashed here')) };
      },
    };
    const games = bench.amount(200, 10);
    const played = await playRound(candidate, { games, intervalMs: 50, lifeMs: 20 });
    for (const kind of ['start', 'stop'] as const) {
      const parts: Record<string, number[]> = {
        scanner: [],
        hop: [],
        append: [],
        send: [],
        listener: [],
        whole: [],
      };
      const noticed = new Map(played.notices.filter((n) => n.kind === kind).map((n) => [n.pid, n]));
      for (const trace of traces.filter((t) => t.kind === kind)) {
        const { stampMs = null, atMs = 0 } = noticed.get(trace.pid) ?? {};
        if (stampMs === null) continue;
        parts.scanner?.push(trace.postedMs - stampMs);
        parts.hop?.push(trace.heardMs - trace.postedMs);
        parts.append?.push(trace.loggedMs - trace.heardMs);
        parts.send?.push(atMs - trace.loggedMs);
        parts.listener?.push(trace.sentMs - trace.loggedMs);
        parts.whole?.push(atMs - stampMs);
      }
      const words = {
        scanner: 'kernel → scanner has decided and posts',
        hop: 'posted → main hears',
        append: 'heard → appended to the log',
        send: 'appended → written to the socket → client',
        whole: 'the whole',
        listener: "of that, at most: the server's part on main",
      };
      for (const [part, what] of Object.entries(words)) {
        const summary = summarize(parts[part] ?? []);
        bench.record(`${kind}.${part}.p50`, `${kind}: ${what}, p50`, summary.p50, 'ms', { summary });
        bench.record(`${kind}.${part}.p99`, `${kind}: ${what}, p99`, summary.p99, 'ms');
      }
    }
  },
};

function askFor(child: Child): Promise<readonly Trace[]> {
  return new Promise((resolve) => {
    child.process.once('message', (traces) => resolve(traces as readonly Trace[]));
    child.process.once('exit', () => resolve([]));
    child.process.send('traces');
  });
}
