/**
 * A flood on the loopback (contract D6, S6): 3,000 connections, 200 of them slow readers, and a right client in the
 * midst of it. Some seconds here; PLAYWARDEN_FLOOD_SECONDS of them in `npm run soak -- flood`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent as KeepAlive, request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { openReliable } from '../helpers/ws-client.ts';

const LONG = process.env.PLAYWARDEN_FLOOD_SECONDS;
const SECONDS = Number(LONG ?? 4);
/** In the short form other tests run on the same cores, of whatever machine: served at all is what it shows. */
const P99_MS = LONG ? 100 : 3_000;
const SOCKETS = 3_000;
const SLOW_READERS = 200;
/** How often the right client asks, ms: often enough for a p99 in some seconds. */
const EVERY_MS = 10;
const FLOOD = fileURLToPath(new URL('../fixtures/flood.mjs', import.meta.url));

let agent: Agent;
let flood: ChildProcess;
beforeAll(async () => {
  agent = await startAgent({ config: gameConfig(uniqueGameName()) });
});
afterAll(async () => {
  flood?.kill('SIGKILL');
  await agent.dispose();
});

const descriptors = () => readdirSync(`/proc/${agent.pid}/fd`).length;
const residentMb = () =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${agent.pid}/status`, 'latin1'))?.[1]) / 1_024;
const p99 = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.POSITIVE_INFINITY;

/** Something to read slowly: one poll of all of it is some 150 KB. */
async function fill(): Promise<void> {
  const parameters = { title: 'long', message: 'x'.repeat(4_000) };
  for (let n = 0; n < 19; n += 1) {
    const body = { command: 'send_notification', parameters };
    await http({
      url: agent.url,
      path: '/desktop/command',
      method: 'POST',
      token: agent.token('control'),
      body,
    });
  }
}

test(`D6: ${SOCKETS} connections and ${SLOW_READERS} slow readers for ${SECONDS} s: a right client is served`, {
  timeout: 150_000 + SECONDS * 1_000,
}, async () => {
  await fill();
  const before = descriptors();
  const client = await openReliable({
    url: agent.url,
    token: agent.token('view'),
    clientId: 'right',
    resume: 'now',
  });
  const connections = new KeepAlive({ keepAlive: true, maxSockets: 1 });
  const said: { open: number; slow: number }[] = [];
  flood = spawn(
    process.execPath,
    [FLOOD, String(agent.port), agent.json().view_token_file, String(SOCKETS), String(SLOW_READERS)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  if (flood.stdout) createInterface(flood.stdout).on('line', (line) => said.push(JSON.parse(line)));
  const ended = new Promise((resolve) => flood.once('exit', resolve));

  const enough = () => said.some(({ open, slow }) => open > SOCKETS * 0.9 && slow > SLOW_READERS * 0.9);
  await expect.poll(enough, { timeout: 60_000 }).toBe(true);

  const overHttp: number[] = [];
  const overSocket: number[] = [];
  let mostMb = 0;
  for (const end = Date.now() + SECONDS * 1_000; Date.now() < end; ) {
    overHttp.push(await timed(() => status(connections)));
    client.send({ type: 'ping' });
    overSocket.push(await timed(() => client.next((f) => f.type === 'pong')));
    mostMb = Math.max(mostMb, residentMb());
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  console.log({
    asked: overHttp.length,
    http: p99(overHttp),
    socket: p99(overSocket),
    mostMb,
    ...said.at(-1),
  });
  expect(overHttp.length).toBeGreaterThan(LONG ? SECONDS * 10 : SECONDS);
  expect(p99(overHttp)).toBeLessThan(P99_MS);
  expect(p99(overSocket)).toBeLessThan(P99_MS);
  expect(mostMb).toBeLessThan(200);

  flood.kill('SIGKILL');
  await ended;
  connections.destroy();
  await client.close();
  await expect.poll(descriptors, { timeout: 20_000 }).toBeLessThanOrEqual(before + 2);
  expect(residentMb()).toBeLessThan(200);
  expect((await http({ url: agent.url, path: '/health' })).json.status).toBe('healthy');
  expect(await agent.stop()).toBe(0);
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** A status over one connection that is kept, as a client has it. */
function status(connections: KeepAlive): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${agent.token('view')}` };
    const url = `${agent.url}/desktop/status?client_id=right`;
    const req = request(url, { agent: connections, headers }, (res) => {
      if (res.statusCode !== 200) reject(new Error(`answered ${res.statusCode}`));
      res.resume().on('end', resolve);
    });
    req.on('error', reject).end();
  });
}
