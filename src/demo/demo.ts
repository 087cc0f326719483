/**
 * `npm run demo`: the whole flow in about ten seconds, with a real agent, a real client and a real process, printed
 * as a timeline. Exits 0, or 1 with the step that failed; what interrupts it leaves nothing behind either.
 */
import { type Connection, connect, type DeliveredEvent, type EventBody } from '../client/index.ts';
import { type Stage, setStage } from './stage.ts';

const STEP_MS = 10_000;
const began = performance.now();
let step = 'starting the agent';

function say(who: string, what: string): void {
  const seconds = ((performance.now() - began) / 1_000).toFixed(2).padStart(6);
  console.log(`${seconds} s  ${who.padEnd(7)} ${what}`);
}

const ms = (from: number) => `${(performance.now() - from).toFixed(1)} ms`;

/** Reads on until an event of this kind comes; every event on the way is printed and acknowledged. */
function reader(connection: Connection) {
  const events = connection[Symbol.asyncIterator]();
  return async function until<K extends string>(
    kind: K,
  ): Promise<DeliveredEvent & { readonly meta: { offset: number } }> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no ${kind} within ${STEP_MS / 1_000} s`)), STEP_MS);
    });
    try {
      for (;;) {
        const next = await Promise.race([events.next(), late]);
        if (next.done) throw new Error('the connection ended');
        await next.value.ack();
        if (kindOf(next.value) === kind) return next.value;
        say('client', `gets ${kindOf(next.value)}`);
      }
    } finally {
      clearTimeout(timer);
    }
  };
}

function kindOf(event: EventBody): string {
  if ('event_type' in event) return event.event_type;
  return event.type === 'notification' ? `notification ${event.data.type}` : event.type;
}

async function play(stage: Stage): Promise<void> {
  const { dataDir } = stage;
  say('agent', await stage.ready);

  step = 'connecting the desktop client';
  const client = await connect(
    { dataDir },
    { clientId: 'demo', role: 'control', positionFile: `${dataDir}/../position.json` },
  );
  const until = reader(client);
  await until('agent_started');
  say('client', `is connected over ${client.state.transport}`);

  step = 'detecting the game';
  const first = await stage.startGame();
  await until('roblox_started');
  say(
    'client',
    `gets roblox_started, ${ms(first.startedAt)} after the game was asked to start (pid ${first.pid})`,
  );
  await until('session_started');
  say('client', 'gets session_started');

  step = 'closing the game by a command';
  say('parent', 'sends force_close from the phone');
  const asked = performance.now();
  const answer = await client.command({ command: 'force_close', parameters: { reason: 'dinner' } });
  if (answer.status !== 'success') throw new Error(`the close failed: ${JSON.stringify(answer.result)}`);
  say('agent', `closed the game and verified that it is gone, ${ms(asked)} after the command`);
  await until('roblox_stopped');
  say('client', 'gets roblox_stopped');

  step = 'ending the session';
  const ended = await until('session_ended');
  say('client', 'gets session_ended, one second later: nobody came back');
  await until('firebase_sync_request');
  say('client', 'gets firebase_sync_request');
  if (ended.type !== 'session_event') throw new Error('session_ended is no session_event');
  const { session_id } = ended.data.session_data;
  const confirmed = await client.confirmSync(session_id, true);
  if (!confirmed.confirmed) throw new Error('the session was not confirmed');
  say('client', `synced ${session_id} and confirmed it`);

  step = 'queueing for an absent client';
  await client.close();
  say('client', 'goes away');
  const second = await stage.startGame();
  say('game', `starts again (pid ${second.pid}), nobody listens`);
  second.stop();

  step = 'fetching the queue by polling';
  const back = await connect(
    { dataDir },
    { clientId: 'demo', role: 'control', positionFile: `${dataDir}/../position.json`, transport: 'polling' },
  );
  const untilBack = reader(back);
  await untilBack('roblox_started');
  say('client', `is back, over ${back.state.transport}: gets the queued roblox_started`);
  await untilBack('roblox_stopped');
  say('client', 'gets the queued roblox_stopped: nothing was lost');
  await back.close();
}

/** As a shell has it: 128 and the number of the signal. */
const INTERRUPTED = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
let interrupted = false;
// Before there is anything to clear: the setting of the stage takes its time and is one turn of the loop.
for (const [signal, code] of Object.entries(INTERRUPTED)) {
  process.on(signal, () => {
    interrupted = true;
    void stage.clear().then(() => process.exit(code));
  });
}
const stage = setStage();
try {
  await play(stage);
  step = 'cleaning up';
  await stage.clear();
  say('demo', 'done, everything is cleaned up');
} catch (error) {
  // What fails because it was taken away is no failure.
  if (!interrupted)
    console.error(`The demo failed while ${step}: ${error instanceof Error ? error.message : error}`);
  await stage.clear();
  process.exitCode = 1;
}
