/**
 * The agent, wired: the only place that knows all layers. Order of start: lock, tokens, log, session, scanner,
 * server; stopped in reverse. What each part does stands in its own folder.
 */

import { join } from 'node:path';
import { createExecutor } from './actors/executor/pool.ts';
import { lastClocks } from './actors/session/last-clocks.ts';
import { LiveActor } from './app/actors.ts';
import { createAgentClock, isoTime } from './app/agent-clock.ts';
import { agentEvent } from './app/agent-event.ts';
import { type AgentFile, removeAgentFile, writeAgentFile } from './app/agent-file.ts';
import { bootId } from './app/boot-id.ts';
import { createCommandDesk } from './app/command-desk.ts';
import { createDesk } from './app/desk.ts';
import { monitorHealth } from './app/health-monitor.ts';
import { keepHighestTime } from './app/highest-time.ts';
import type { LoadLimit } from './app/load-rule.ts';
import { watchLoad } from './app/load-watch.ts';
import { failureFields, type Logger } from './app/logger.ts';
import { loadPresence } from './app/presence.ts';
import { createReloads } from './app/reloads.ts';
import { createResourceMeter } from './app/resources.ts';
import { keepRetention } from './app/retention.ts';
import { createRouter } from './app/router.ts';
import { withSelfTest } from './app/self-test.ts';
import { createSyncDesk } from './app/sync-desk.ts';
import { loadTokens, tokenFiles } from './app/tokens.ts';
import { VERSION } from './app/version.ts';
import type { Config } from './protocol/config.ts';
import { fitting } from './protocol/fitting.ts';
import type {
  FromScanner,
  FromSession,
  ScannerCalls,
  ScannerInit,
  SessionCalls,
  SessionInit,
  ToScanner,
  ToSession,
} from './protocol/messages.ts';
import type { Report } from './runtime/child.ts';
import { startMainBeat } from './runtime/heartbeat.ts';
import { PoisonRegister } from './runtime/poison.ts';
import type { RestartLimits } from './runtime/restart-rule.ts';
import { Supervisor } from './runtime/supervisor.ts';
import { workerFile } from './runtime/worker-file.ts';
import { storePaths } from './store/files.ts';
import { lockDataDir } from './store/lock.ts';
import { openStore } from './store/open.ts';
import { giveUpReserve } from './store/reserve.ts';
import { type RunningServer, startServer } from './transport/server.ts';

/** A status that waits longer than this for the session actor goes without it, ms. */
const SETTLE_DEADLINE_MS = 2_000;

export interface AgentOptions {
  readonly config: Config;
  /** Prepared by prepareDataDir. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** How failed actors are started again; left out: the rule's own numbers. */
  readonly restartLimits?: RestartLimits | undefined;
  /** What the process may cost; left out: the rule's own numbers. */
  readonly loadLimits?: readonly LoadLimit[] | undefined;
  /** The agent cannot go on: a part that must not rest is in a crash loop. */
  onGaveUp(reason: string): void;
}

export interface RunningAgent {
  /** As it stands in agent.json. */
  readonly about: AgentFile;
  /** Takes the tokens as they stand in their files now; whoever showed another one is disconnected. */
  takeTokens(): void;
  /** Takes a new configuration. */
  reload(config: Config): Promise<void>;
  /** A configuration that does not hold was refused: told, the last good one stays. */
  rejectConfig(file: string, problems: readonly { readonly path: string; readonly message: string }[]): void;
  /** Clients told, data flushed, nothing left behind. */
  stop(): Promise<void>;
}

/** Starts everything; resolves when it can serve. Throws UserError for what a user can mend. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { dataDir, logger } = options;
  const unlock = lockDataDir(dataDir);
  let config = options.config;
  let tokens = loadTokens(dataDir);
  const clock = createAgentClock();
  const boot = await bootId();
  const store = openStore({ dir: dataDir, clock, bootId: boot });
  clock.keepIn(store.meta, boot);
  const startedAt = isoTime(clock.wall());
  const agentId = store.meta.get('agent_id') ?? '';
  // Now: soon the session actor has its own reading in the place of that of the run before.
  const clocksBefore = lastClocks(store.ledger.state('clock'), boot);

  const poison = (id: string) =>
    new PoisonRegister((sent) => {
      logger.error({ actor: id, sent }, 'a message that has killed the actor twice was set aside');
    }, clock.monotonic);
  const executor = createExecutor({ file: workerFile('executor') });
  const router = createRouter({
    store,
    clock,
    bootId: boot,
    config: () => config,
    postToSession: (message) => session.post(message),
    close: (task) => executor.close(task),
    presence: await loadPresence(boot),
    log: logger,
  });
  const forScanner = () => withSelfTest(config, agentId);
  /** What the present life of an actor was started with. */
  const inForce = { scanner: config, session: config };
  const session = new LiveActor<SessionInit, ToSession, FromSession, SessionCalls>({
    id: 'session',
    file: workerFile('session'),
    clock,
    init: () => {
      inForce.session = config;
      return { config, ledger: store.ledger.load(), provenFile: join(dataDir, 'last-proven') };
    },
    onMessage: (message) => router.fromSession(message),
    onReady: () => {
      // A reload that came while it started is not in what it started with.
      if (inForce.session !== config) void session.call('configure', [config]);
      router.greetSession();
    },
    poison: poison('session'),
  });
  const mainBeat = startMainBeat(clock);
  const scanner = new LiveActor<ScannerInit, ToScanner, FromScanner, ScannerCalls>({
    id: 'scanner',
    file: workerFile('scanner'),
    clock,
    init: () => {
      inForce.scanner = config;
      const told = store.told.all().map(({ process }) => process);
      return { config: forScanner(), bootId: boot, lastClocks: clocksBefore, told };
    },
    onReady: () => {
      if (inForce.scanner !== config) void scanner.call('configure', [forScanner()]);
    },
    onMessage: (message) => router.fromScanner(message),
    onGone: () => router.scannerGone(),
    mainBeat: mainBeat.buffer,
    poison: poison('scanner'),
  });

  const reloads = createReloads();
  const sync = createSyncDesk(store, clock);
  const settle = () => session.call('settle', [], SETTLE_DEADLINE_MS);
  const highestTime = keepHighestTime(store.meta, clock, () => config.security.parent_keys);
  const commands = createCommandDesk({
    agentId,
    clock,
    store,
    config: () => config,
    session: {
      async command(command) {
        const answer = await session.call('command', [command]);
        return answer.ok
          ? answer.value.ok
            ? { ok: true, value: answer.value.result }
            : answer.value
          : answer;
      },
      settle,
    },
    highestTrustedMs: highestTime.ms,
    closeGames: router.closeGames,
  });
  const desk = createDesk({
    agentId,
    store,
    clock,
    config: () => config,
    router,
    reloads,
    sync,
    commands,
    settle,
    actors,
    scannerStats: async () => {
      const answer = await scanner.call('stats', [], SETTLE_DEADLINE_MS);
      return answer.ok ? answer.value : null;
    },
    load: () => load.reasons(),
  });

  let server: RunningServer | null = null;
  const meter = createResourceMeter(() => clock.monotonic());
  const load = watchLoad({
    clock,
    measure() {
      const { rss_bytes, cpu_percent } = meter();
      return { rssBytes: rss_bytes, cpuPercent: cpu_percent };
    },
    act(action, reason) {
      logger.warn({ action, reason }, 'the agent itself costs too much');
      if (action === 'shed') server?.shed();
      if (action === 'restart') options.onGaveUp(reason);
    },
    limits: options.loadLimits,
  });
  const supervisor = new Supervisor({
    name: 'agent',
    strategy: 'one_for_one',
    children: [
      session.spec(),
      scanner.spec(),
      { id: 'server', restart: 'permanent', shutdownMs: 2_000, onCrashLoop: 'give_up', start: serve },
    ],
    clock,
    random: Math.random,
    limits: options.restartLimits,
    onReport: (report) => logReport(logger, report),
    onGaveUp: (child, reason) => options.onGaveUp(`The ${child} failed again and again: ${reason}`),
  });

  async function serve() {
    const started = await startServer({
      host: config.desktop_client.websocket.host,
      port: config.desktop_client.websocket.port,
      log: store.log,
      clients: store.clients,
      sync: store.sync,
      desk,
      clock,
      security: () => ({
        requireToken: config.security.require_token,
        viewToken: tokens.view,
        controlToken: tokens.control,
        allowedOrigins: config.security.allowed_origins,
      }),
      transports: () => ({
        websocketEnabled: config.desktop_client.websocket.enabled,
        pollingEnabled: config.desktop_client.http_polling.enabled,
        pollIntervalSeconds: config.desktop_client.http_polling.interval,
      }),
      logger,
    });
    server = started;
    return { exited: new Promise<never>(() => {}), stop: () => started.stop() };
  }

  function actors() {
    const state = supervisor.state();
    const none = { state: 'stopped', restarts: 0, last_beat_ms_ago: null, last_work_ms_ago: null } as const;
    return {
      scanner: { ...(state.scanner ?? none), overdue_ms: scanner.overdueMs() },
      session: { ...(state.session ?? none), overdue_ms: session.overdueMs() },
      executor: { ...none, state: 'running', ...executor.state(), overdue_ms: null },
    };
  }

  const stops: (() => unknown)[] = [];
  async function shutDown(): Promise<void> {
    for (const stop of stops) stop();
    load.stop();
    await commands.stop();
    highestTime.stop();
    await supervisor.stop();
    router.stop();
    mainBeat.stop();
    sync.stop();
    await executor.stop();
    // Before the store, whose end a slow disk can keep beyond the deadline of the stop.
    removeAgentFile(dataDir);
    try {
      await store.close();
    } finally {
      unlock();
    }
  }

  function describeAgent(): AgentFile {
    const files = tokenFiles(dataDir);
    return {
      pid: process.pid,
      host: config.desktop_client.websocket.host,
      port: server?.port ?? 0,
      version: VERSION,
      agent_id: agentId,
      started_at: startedAt,
      epoch: store.log.ends().epoch,
      token_file: files.control,
      view_token_file: files.view,
      source: router.detection().source ?? 'none',
    };
  }

  let about: AgentFile;
  try {
    router.tell(
      ...store.findings,
      agentEvent('agent_started', `Playwarden ${VERSION} started.`, { version: VERSION }),
    );
    await supervisor.start();
    stops.push(monitorHealth(clock, () => desk.health().reasons, router.tell));
    stops.push(keepRetention(store, clock, () => config));
    about = describeAgent();
    writeAgentFile(dataDir, about, () => giveUpReserve(storePaths(dataDir).reserve));
    // A close can take as long as it waits: nobody has to wait for it with the ready line.
    commands
      .resumePending()
      .catch((error: unknown) => logger.error(failureFields(error), 'a command was not taken up again'));
  } catch (error) {
    await shutDown().catch((failure: unknown) =>
      logger.error(failureFields(failure), 'the agent did not stop cleanly'),
    );
    throw error;
  }

  return {
    about,
    takeTokens() {
      tokens = loadTokens(dataDir);
      server?.disconnectWrongTokens();
    },
    async reload(next) {
      const fixed = unreloadable(config, next);
      const { host, port } = config.desktop_client.websocket;
      const websocket = { ...next.desktop_client.websocket, host, port };
      config = { ...next, desktop_client: { ...next.desktop_client, websocket } };
      const inForceNow = reloads.taken(fixed);
      try {
        // Who came without a token while none was required has none now.
        server?.disconnectWrongTokens();
        server?.closeShutOut();
        // In this order, so that each stop is told before the end of its session, and each start after it (contract E4).
        await scanner.call('configure', [forScanner()]);
        router.releaseMoved();
        await session.call('configure', [config]);
        router.takeMoved();
      } finally {
        inForceNow();
      }
      const note =
        fixed.length > 0 ? ` ${fixed.join(' and ')} cannot be reloaded: restart the agent for that.` : '';
      if (note) logger.warn({ fixed }, `the configuration was reloaded;${note}`);
      router.tell(
        agentEvent('config_reloaded', `The configuration was reloaded.${note}`, { not_reloaded: fixed }),
      );
    },
    rejectConfig(file, problems) {
      const { items, leftOut } = fitting(problems);
      // A line of the log has its bound as an event has; `config check` tells them all.
      const told = { file, problems: items, ...(leftOut > 0 && { problems_left_out: leftOut }) };
      logger.error(told, 'the configuration was refused; the last good one stays in force');
      const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
      const message = `The configuration in ${file} was refused for ${count}; the last good one stays in force.`;
      router.tell(agentEvent('config_rejected', message, told));
      reloads.refused({ ...told, problems: [...items] });
    },
    async stop() {
      router.tell(agentEvent('agent_stopped', 'Playwarden was asked to stop.'));
      await settle();
      await shutDown();
    },
  };
}

/** The names of what differs and only holds at a start (contract C4). */
function unreloadable(before: Config, after: Config): string[] {
  const [a, b] = [before.desktop_client.websocket, after.desktop_client.websocket];
  return [...(a.host === b.host ? [] : ['host']), ...(a.port === b.port ? [] : ['port'])];
}

function logReport(logger: Logger, report: Report): void {
  const quiet = report.kind === 'started' || report.kind === 'stopped';
  const message = `${report.child} ${report.kind.replaceAll('_', ' ')}`;
  if (quiet) logger.info(report, message);
  else logger.warn(report, message);
}
