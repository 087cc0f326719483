/**
 * Contract K2 and K4 over kill -9: the real agent dies at each exact point of a command's life, starts again, and
 * the client asks again with the same command_id, as a client does whose answer was lost. Each command has one
 * effect and is told once. 30 deaths here, PLAYWARDEN_DEATHS of them in `npm run soak -- deaths`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Agent } from '../helpers/agent.ts';
import { type Game, gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { type HttpResponse, http } from '../helpers/http.ts';
import type { Frame } from '../helpers/ws-client.ts';

const DEATHS = Number(process.env.PLAYWARDEN_DEATHS ?? 30);
const PRELOAD = fileURLToPath(new URL('../fixtures/dies-at.mjs', import.meta.url));

/** Where the agent ends; the last two are of a close alone, and the game or its end is what triggers them. */
const POINTS = ['accept', 'accepted', 'committed', 'sync', 'synced', 'finish', 'finished', 'stored'] as const;
const CLOSE_POINTS = [...POINTS, 'asked', 'forced'] as const;
const CASES = [
  ...POINTS.map((point) => ['send_notification', point] as const),
  ...POINTS.map((point) => ['extend_time', point] as const),
  ...CLOSE_POINTS.map((point) => ['force_close', point] as const),
];

const root = mkdtempSync(join(tmpdir(), 'playwarden-deaths-'));
const order = join(root, 'dies-at');
const gameName = uniqueGameName();
let agent: Agent;
let extended = 0;

beforeAll(async () => {
  writeFileSync(order, '');
  agent = new Agent({
    config: gameConfig(gameName, {
      profiles: { default_child: { daily_limit_minutes: 60 } },
      enforcement: { close_wait_seconds: 0.2 },
    }),
    env: { NODE_OPTIONS: `--import ${PRELOAD}`, DIES_AT: order },
  });
  await agent.start();
});
afterAll(async () => {
  await agent.dispose();
  rmSync(root, { recursive: true, force: true });
});

const command = (body: object): Promise<HttpResponse> =>
  http({
    url: agent.url,
    path: '/desktop/command',
    method: 'POST',
    token: agent.token('control'),
    body,
    timeoutMs: 30_000,
  });

/** Everything told since the last time; acknowledged by asking for what follows. */
const heard: Frame[] = [];
let position = '';
async function listen(): Promise<void> {
  for (let more = true; more; ) {
    const path = `/desktop/events/poll?client_id=deaths${position}`;
    const { json } = await http({ url: agent.url, path, token: agent.token('view') });
    heard.push(...json.events);
    position = `&after=${json.next_after}&epoch=${json.epoch}`;
    more = json.has_more;
  }
}
const toldOf = (id: string) => heard.filter((e) => e.type === 'command_event' && e.data.command_id === id);

test(`K2: ${DEATHS} deaths, one at each point of a command's life in turn: one effect each`, {
  timeout: 60_000 + DEATHS * 5_000,
}, async () => {
  for (let n = 0; n < DEATHS; n += 1) {
    const [name, point] = CASES[(n * 11) % CASES.length] ?? CASES[0] ?? ['send_notification', 'accept'];
    const id = `${n}-${name}-${point}`;
    if (name === 'force_close') await closing(id, point);
    else if (name === 'extend_time') await extending(id, point);
    else await notifying(id, point);
  }
});

/** Sends it to an agent that dies there, starts the agent again, and asks again; the second answer. */
async function overDeath(
  body: { command_id: string },
  point: string,
  die?: () => Promise<void>,
): Promise<HttpResponse> {
  if (!die) writeFileSync(order, point);
  const first = command(body).then(
    () => 'answered',
    () => 'lost',
  );
  await die?.();
  // Between what triggers it outside and the kill there is a moment in which the agent may be done.
  const got = await first;
  if (!die) expect([body.command_id, got]).toEqual([body.command_id, 'lost']);
  expect(await agent.exited).toMatchObject({ signal: 'SIGKILL' });
  await agent.start();
  const second = await command(body);
  expect([body.command_id, second.status]).toEqual([body.command_id, 200]);
  // Only what had not reached the disk is new to it.
  expect(second.json.duplicate).toBe(!['accept', 'accepted'].includes(point));
  const third = await command(body);
  expect(third.json).toMatchObject({ duplicate: true, result: second.json.result });
  await listen();
  expect(toldOf(body.command_id)).toHaveLength(1);
  return second;
}

async function notifying(id: string, point: string): Promise<void> {
  const parameters = { title: id, message: 'one of its kind' };
  const { json } = await overDeath(
    { command_id: id, ...{ command: 'send_notification', parameters } },
    point,
  );
  expect(json.status).toBe('success');
  expect(heard.filter((e) => e.type === 'notification' && e.data.title === id)).toHaveLength(1);
}

async function extending(id: string, point: string): Promise<void> {
  const { json } = await overDeath(
    { command_id: id, ...{ command: 'extend_time', parameters: { minutes: 1 } } },
    point,
  );
  expect(json.status).toBe('success');
  extended += 1;
  expect([id, (await command({ command: 'get_live_status' })).json.result.limits.extra_minutes]).toEqual([
    id,
    extended,
  ]);
}

async function closing(id: string, point: string): Promise<void> {
  const stubborn = point === 'asked' || point === 'forced';
  const game = await startGame(gameName);
  try {
    await seen(game);
    // A stopped process takes a SIGTERM only when it goes on: it has to be forced.
    if (stubborn) process.kill(game.pid, 'SIGSTOP');
    const die = {
      asked: async () => {
        await pendingTerm(game.pid);
        agent.signal('SIGKILL');
      },
      forced: async () => {
        await game.exited;
        agent.signal('SIGKILL');
      },
    };
    const body = { command_id: id, command: 'force_close' };
    const { json } = await overDeath(body, point, stubborn ? die[point] : undefined);
    expect([id, json.status]).toEqual([id, 'success']);
    expect(['closed', 'not_running']).toContain(json.result.outcome);
    await game.exited;
    const stops = () =>
      heard.filter((e) => e.event_type === 'roblox_stopped' && e.data.process_info.pid === game.pid);
    for (const end = Date.now() + 20_000; stops().length === 0 && Date.now() < end; ) await listen();
    expect([id, stops().length]).toEqual([id, 1]);
  } finally {
    await game.stop('SIGKILL');
  }
}

/** Waits until the agent has told the game. */
async function seen(game: Game): Promise<void> {
  const isTold = () =>
    heard.some((e) => e.event_type === 'roblox_started' && e.data.process_info.pid === game.pid);
  for (const end = Date.now() + 20_000; !isTold(); ) {
    if (Date.now() > end) throw new Error('the game was never told');
    await listen();
  }
}

/** Waits until a SIGTERM waits for a stopped process: it was asked. */
async function pendingTerm(pid: number): Promise<void> {
  const term = 1n << 14n;
  for (;;) {
    const pending = /^ShdPnd:\s+([0-9a-f]+)$/m.exec(statusOf(pid))?.[1];
    // Without it the process is gone: it was forced already.
    if (pending === undefined || BigInt(`0x${pending}`) & term) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}
