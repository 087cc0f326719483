/**
 * An evening in ten minutes (`--minutes`), a client connected all the time: games start and stop, the limit is reached
 * and the game closed, it is started again in vain, a parent gives more time and that is used up too.
 */
import { benchAgent } from '../harness/agent.ts';
import { type Case, pause } from '../harness/bench.ts';
import { type Child, start } from '../harness/children.ts';
import { connectSocket, post } from '../harness/clients.ts';
import { gameProgram } from '../harness/native.ts';
import { type Cost, meter, rssMb, writtenMb } from '../harness/proc-cost.ts';
import { exactly } from '../report/measure.ts';

const FULL_MINUTES = 10;
/** The least that can be given, and so the least that the whole evening can use up. */
const EXTENSION_MINUTES = 1;
const GRACE_SECONDS = 2;

/** What goes on, and for which share of the evening. */
type Phase = 'idle' | 'playing' | 'closed';
const EVENING: readonly { readonly phase: Phase; readonly share: number; readonly begin: Step }[] = [
  { phase: 'idle', share: 0.15, begin: 'nothing' },
  { phase: 'playing', share: 0.15, begin: 'play' },
  { phase: 'idle', share: 0.05, begin: 'quit' },
  { phase: 'playing', share: 0.05, begin: 'play' },
  { phase: 'idle', share: 0.05, begin: 'quit' },
  // The limit is reached in the middle of this.
  { phase: 'playing', share: 0.05, begin: 'play' },
  { phase: 'closed', share: 0.15, begin: 'nothing' },
  { phase: 'closed', share: 0.05, begin: 'play' },
  { phase: 'playing', share: 0.1, begin: 'extend and play' },
  { phase: 'closed', share: 0.05, begin: 'nothing' },
  { phase: 'idle', share: 0.15, begin: 'quit' },
];
type Step = 'nothing' | 'play' | 'quit' | 'extend and play';
/** Of the evening: what may be played, so that the third game reaches it. */
const LIMIT_SHARE = 0.225;

export const evening: Case = {
  name: 'evening',
  deadlineMs: 15 * 60_000,
  long: true,
  async run(bench) {
    const minutes = bench.minutes(FULL_MINUTES, 0.1);
    const { name: game, file } = gameProgram();
    const profile = {
      daily_limit_minutes: minutes * LIMIT_SHARE,
      warn_minutes: [minutes * 0.05],
      grace_seconds: GRACE_SECONDS,
    };
    const config = { profiles: { default_child: profile }, sessions: { rejoin_seconds: 1 } };
    const agent = await benchAgent(bench, { game, source: 'proc-events', config });
    const told = { started: 0, ended: 0, closed: 0, events: 0 };
    const client = await connectSocket(agent, { clientId: 'bench' }, (event) => {
      told.events += 1;
      if (event.type !== 'roblox_event') return;
      if (event.event_type === 'roblox_started') told.started += 1;
      else told.ended += 1;
      if (event.event_type === 'roblox_auto_closed') told.closed += 1;
    });
    bench.owns(client, (c) => c.close());
    await pause(bench.amount(10_000, 500));

    let played = 0;
    let child: Child | null = null;
    const play = () => {
      played += 1;
      child = bench.owns(start(file, ['3600000']), (c) => c.end());
    };
    const steps: Record<Step, () => unknown> = {
      nothing: () => {},
      play,
      quit: () => child?.end(),
      async 'extend and play'() {
        const parameters = { minutes: EXTENSION_MINUTES };
        await post(agent, '/desktop/command', {
          command: 'extend_time',
          child_profile: 'default_child',
          parameters,
        });
        play();
      },
    };
    let rssMax = 0;
    const watch = setInterval(() => {
      rssMax = Math.max(rssMax, rssMb(agent.pid));
    }, 1_000);
    bench.owns(watch, clearInterval);
    const phases = new Map<Phase, { readonly cost: Cost; readonly writtenMb: number }[]>();
    const whole = meter(agent.pid);
    const writtenBefore = writtenMb(agent.pid);
    for (const { phase, share, begin } of EVENING) {
      const stop = meter(agent.pid);
      const before = writtenMb(agent.pid);
      await steps[begin]();
      await pause(minutes * share * 60_000);
      const part = { cost: stop(), writtenMb: writtenMb(agent.pid) - before };
      phases.set(phase, [...(phases.get(phase) ?? []), part]);
    }
    const cost = whole();
    const written = writtenMb(agent.pid) - writtenBefore;
    const rssEnd = rssMb(agent.pid);
    await pause(500);

    const what = `evening of ${minutes} min`;
    bench.record('cpu', `${what}: CPU of a core`, cost.cpuPercent, '%');
    bench.record('switches', `${what}: context switches, voluntary`, cost.voluntaryPerSecond, '/s');
    bench.record('involuntary', `${what}: context switches, involuntary`, cost.involuntaryPerSecond, '/s');
    bench.record('rss', `${what}: resident memory at its end`, rssEnd, 'MB');
    bench.record('rss.max', `${what}: resident memory, the most`, Math.max(rssMax, rssEnd), 'MB');
    bench.record('written', `${what}: written to disk`, written, 'MB');
    const names = { idle: 'no game', playing: 'a game open', closed: 'over the limit' };
    for (const [phase, parts] of phases) {
      const seconds = parts.reduce((sum, { cost }) => sum + cost.seconds, 0);
      const cpu = parts.reduce((sum, { cost }) => sum + cost.cpuPercent * cost.seconds, 0) / seconds;
      const mb = parts.reduce((sum, part) => sum + part.writtenMb, 0);
      bench.record(`${phase}.cpu`, `${names[phase]}: CPU of a core`, cpu, '%');
      bench.record(
        `${phase}.writes`,
        `${names[phase]}: written to disk in an hour`,
        (mb / seconds) * 3_600,
        'MB',
      );
    }
    bench.record('events', 'events told', told.events, '');
    bench.record('starts', `starts told of ${played} games`, told.started, '', { goal: exactly(played) });
    bench.record('ends', `ends told of ${played} games`, told.ended, '', { goal: exactly(played) });
    // Shorter, the extension outlasts the evening.
    const closed = minutes * 0.14 > EXTENSION_MINUTES ? 3 : 2;
    bench.record('closed', 'of those: closed by the agent', told.closed, '', { goal: exactly(closed) });
  },
};
