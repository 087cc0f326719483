/**
 * The agent's own load, end to end: it takes too much memory, says so, lets go of its clients, and at last ends so that
 * whoever watches it starts it again. The same rule as in the product, with limits that a test can reach.
 */
import { afterAll, expect, test } from 'vitest';
import type { LoadLimit } from '../../src/app/load-rule.ts';
import { gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { type Frame, openReliable, type RawClient } from '../helpers/ws-client.ts';
import { ChaosAgent } from './chaos-agent.ts';

/** MB; the agent needs less than half of it, and 300 more with the fault. */
const ABOVE = 250;
/** It looks every 5 s, so that each look finds one limit more to be passed. */
const LIMITS: readonly LoadLimit[] = [
  { of: 'memory', above: ABOVE, forMs: 0, action: 'warn' },
  { of: 'memory', above: ABOVE, forMs: 3_000, action: 'shed' },
  { of: 'memory', above: ABOVE, forMs: 8_000, action: 'restart' },
];
const PATIENCE_MS = 60_000;
const CLIENT = 'desk';

const game = uniqueGameName('pwload');
const agent = new ChaosAgent(gameConfig(game), LIMITS);
afterAll(() => agent.dispose());

const connect = (resume?: unknown) =>
  openReliable({ url: agent.url, token: agent.token('view'), clientId: CLIENT, resume });

const started = (client: RawClient) =>
  client.next((frame) => frame.event_type === 'session_started', PATIENCE_MS);

test('too much memory: told, then the clients are let go, then an end with exit 70; the session goes on', {
  timeout: 5 * PATIENCE_MS,
}, async () => {
  await agent.start();
  const played = await startGame(game, { ms: 5 * PATIENCE_MS });
  const client = await connect();
  const session = (await started(client)).data.session_data;

  await agent.fault({ actor: 'main', fault: 'fatten' });
  const degraded: Frame = await client.next((f) => f.event_type === 'agent_degraded', PATIENCE_MS);
  expect(degraded.data.message).toMatch(/The agent uses \d+ MB of memory, more than 250 MB\./);
  const health = await http({ url: agent.url, path: '/health' });
  expect(health.json.status).toBe('degraded');

  const ended = agent.ended();
  const restart = agent.logs((line) => line.action === 'restart', PATIENCE_MS);
  expect((await client.closed).code).toBe(4005);
  const { epoch, offset } = client.events.at(-1).meta;
  expect(await ended).toEqual({ code: 70, signal: null });
  await restart;
  const actions = agent.log.flatMap(({ action }) => (typeof action === 'string' ? [action] : []));
  expect(actions).toEqual(['warn', 'shed', 'restart']);

  await agent.start();
  const again = await connect({ epoch, offset });
  const welcome = await again.next((frame) => frame.type === 'welcome', PATIENCE_MS);
  expect(welcome).toMatchObject({ recovered: true, gap: null });
  await played.stop();
  const over = await again.next((frame) => frame.event_type === 'session_ended', PATIENCE_MS);
  expect(over.data.session_data.session_id).toBe(session.session_id);
  expect(again.events.filter((frame) => frame.event_type === 'session_started')).toEqual([]);
  again.terminate();
  expect(await agent.end('SIGTERM')).toBe(0);
});
