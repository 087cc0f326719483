/**
 * What the doctor makes of what was seen: one finding for each part of a running agent, with the remedy for what is
 * not well. Facts in, findings out; nothing here looks at the machine.
 */
import type { SourceName } from '../../protocol/config.ts';
import type { ConfigurationStatus } from '../../protocol/http-answers.ts';
import type { ServiceState } from '../service/plan.ts';

export interface Finding {
  readonly check: string;
  /** `note`: not wrong, or not to be seen from here. */
  readonly verdict: 'ok' | 'note' | 'problem';
  readonly said: string;
  readonly remedy?: string;
}

/** The part of `/desktop/status` that is judged. */
export interface AgentFacts {
  readonly version: string;
  readonly uptime_seconds: number;
  readonly source: SourceName | null;
  readonly health: readonly string[];
  readonly configuration: Pick<ConfigurationStatus, 'refused'>;
  readonly store: {
    readonly ok: boolean;
    readonly unsynced: number;
    readonly waiting: number;
    readonly reason?: string;
  };
  readonly actors: Readonly<Record<string, { readonly state: string; readonly restarts: number }>>;
  readonly self_test?: string;
}

/** Of a configuration that no agent has read: whether one could start with it. `errors` a line each. */
export function judgeConfig(file: string | null, errors: readonly string[]): Finding {
  const check = 'configuration';
  if (errors.length === 0) return { check, verdict: 'ok', said: file ?? 'the defaults' };
  const [first = '', ...more] = errors;
  const said = `${file} does not hold: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`;
  return { check, verdict: 'problem', said, remedy: `playwarden config check ${file}` };
}

/** While no agent runs: `takenOn` are the addresses on which somebody else listens. */
export function judgePort(port: number, takenOn: readonly string[]): Finding {
  const check = 'port';
  if (takenOn.length === 0) return { check, verdict: 'ok', said: `${port} is free` };
  const said = `another program listens on port ${port} (${takenOn.join(', ')}), so no agent can`;
  const remedy = 'stop that program, or choose another desktop_client.websocket.port';
  return { check, verdict: 'problem', said, remedy };
}

export function judgeHealth(facts: AgentFacts): Finding {
  const check = 'health';
  if (facts.health.length > 0) {
    const { refused } = facts.configuration;
    const remedy =
      refused === null
        ? 'the log of the agent says more; a restart of the agent is harmless'
        : `playwarden config check ${refused.file}; then playwarden reload`;
    return { check, verdict: 'problem', said: facts.health.join(' '), remedy };
  }
  const restarts = Object.entries(facts.actors).filter(([, actor]) => actor.restarts > 0);
  if (restarts.length > 0) {
    const said = restarts.map(([id, { restarts: n }]) => `the ${id} was restarted ${n} times`).join(', ');
    return { check, verdict: 'note', said, remedy: 'the log of the agent says why' };
  }
  return { check, verdict: 'ok', said: `${Object.keys(facts.actors).join(', ')} do their work` };
}

export interface FileFacts {
  readonly path: string;
  /** The rights it may have at most. */
  readonly most: number;
  /** null: it is not there or not to be seen. */
  readonly mode: number | null;
  readonly uid: number | null;
  /** What the agent makes of the token in it; left out: it holds none, or that is not to be seen. */
  readonly token?: 'taken' | 'refused' | 'malformed' | undefined;
}

/** The rights of the data directory's files, which must all belong to the account of the agent, and the tokens in them. */
export function judgeFiles(files: readonly FileFacts[], agentUid: number | null): Finding {
  const check = 'token files';
  for (const { path, most, mode, uid } of files) {
    if (mode === null)
      return { check, verdict: 'problem', said: `${path} is not there`, remedy: 'restart the agent' };
    if (mode & 0o777 & ~most) {
      const said = `others have too many rights on ${path}`;
      return {
        check,
        verdict: 'problem',
        said,
        remedy: `chmod ${most.toString(8)} ${path}; playwarden token rotate`,
      };
    }
    if (agentUid !== null && uid !== null && uid !== agentUid) {
      const said = `${path} belongs to another account (uid ${uid}) than the agent`;
      return { check, verdict: 'problem', said, remedy: 'delete it and restart the agent' };
    }
  }
  for (const { path, token } of files) {
    if (token === 'malformed') {
      const remedy = 'playwarden token rotate';
      return {
        check,
        verdict: 'problem',
        said: `${path} holds no token: no agent could start with it`,
        remedy,
      };
    }
    if (token === 'refused') {
      const said = `the agent refuses the token in ${path}: whoever reads it there is locked out`;
      return { check, verdict: 'problem', said, remedy: 'playwarden reload' };
    }
  }
  return files.length === 0
    ? { check, verdict: 'note', said: 'their rights are not to be seen on this platform' }
    : { check, verdict: 'ok', said: 'nobody has rights on them who should not' };
}

/** `risk`: how somebody else could replace the data directory; null: in no way. */
export function judgePlace(risk: { readonly said: string; readonly remedy: string } | null): Finding {
  const check = 'data directory';
  if (risk !== null) return { check, verdict: 'problem', ...risk };
  return { check, verdict: 'ok', said: 'nobody but its owner and root can put another in its place' };
}

/** A clock this far from the agent's was set by somebody, ms; the agent itself tells it from 5 min on. */
const CLOCK_OFF_MS = 60_000;
const CLOCK_NEAR_MS = 2_000;

/** `aheadMs`: the system's clock minus the agent's trusted one. */
export function judgeClock(aheadMs: number): Finding {
  const check = 'clock';
  const off = Math.abs(aheadMs);
  if (off < CLOCK_NEAR_MS)
    return { check, verdict: 'ok', said: 'the system clock is what the agent counts by' };
  const said = `the system clock is ${Math.round(off / 1_000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the agent's`;
  if (off < CLOCK_OFF_MS) return { check, verdict: 'note', said };
  return {
    check,
    verdict: 'problem',
    said: `${said}: it was set while the agent ran`,
    remedy: 'set it right; the agent takes a new time at the next day start, or after a boot',
  };
}

/** Less room than this on the disk and the reserve is all there is, bytes. */
const LEAST_FREE = 100 * 1024 * 1024;

export function judgeStore({ store }: AgentFacts, freeBytes: number | null): Finding {
  const check = 'database';
  if (!store.ok || store.waiting > 0) {
    const said = store.reason ?? `${store.waiting} events wait for room on the disk`;
    return { check, verdict: 'problem', said, remedy: 'make room on the disk, or look at its health' };
  }
  if (freeBytes !== null && freeBytes < LEAST_FREE) {
    const said = `only ${Math.round(freeBytes / 1024 / 1024)} MB are free on its disk`;
    return { check, verdict: 'problem', said, remedy: 'make room on the disk' };
  }
  return { check, verdict: 'ok', said: 'takes writes' };
}

const BEST: Partial<Record<NodeJS.Platform, SourceName>> = { linux: 'proc-events', win32: 'toolhelp' };

export function judgeDetection({ source }: AgentFacts, platform: NodeJS.Platform): Finding {
  const check = 'detection';
  if (source === null)
    return { check, verdict: 'problem', said: 'nothing looks for games', remedy: 'restart the agent' };
  const best = BEST[platform];
  if (best === undefined || source === best) return { check, verdict: 'ok', said: source };
  const why =
    platform === 'linux' ? 'kernel events need CAP_NET_ADMIN and no container' : `${best} did not work`;
  const remedy = platform === 'linux' ? 'run the agent as root: playwarden service install' : 'see its log';
  return { check, verdict: 'note', said: `${source}: works, at more cost (${why})`, remedy };
}

export interface WelcomeFacts {
  readonly over: 'websocket' | 'polling';
  readonly lastOffset: number;
  readonly tookMs: number;
}

/** What the configuration lets clients use. */
export interface Transports {
  readonly websocket: boolean;
  readonly polling: boolean;
}

/** `welcome`: what a client was told; a text: why it was told nothing. What is switched off is nobody's failure. */
export function judgeDelivery(welcome: WelcomeFacts | string, { websocket, polling }: Transports): Finding {
  const check = 'delivery';
  if (!websocket && !polling) {
    const said = 'WebSocket and polling are switched off in the configuration: nobody is told anything';
    return { check, verdict: 'note', said, remedy: 'enable one of them under desktop_client' };
  }
  if (typeof welcome === 'string') {
    return {
      check,
      verdict: 'problem',
      said: websocket ? `no welcome over the WebSocket: ${welcome}` : `no answer to a poll: ${welcome}`,
      remedy: 'see the log of the agent',
    };
  }
  const figures = `in ${Math.round(welcome.tookMs)} ms, ${welcome.lastOffset} events so far`;
  if (welcome.over === 'websocket') return { check, verdict: 'ok', said: `a client was welcomed ${figures}` };
  const off = 'the WebSocket is switched off in the configuration';
  return { check, verdict: 'note', said: `${off}; a poll was answered ${figures}` };
}

/** ms from the start of the process; null: it did not happen. */
export interface SelfTestFacts {
  readonly detectedMs: number | null;
  readonly closedMs: number | null;
  readonly reportedMs: number | null;
}

/** `facts`: what became of the process; a text: why none was started. */
export function judgeSelfTest(facts: SelfTestFacts | string): Finding {
  const check = 'self-test';
  if (typeof facts === 'string') return { check, verdict: 'note', said: facts };
  const { detectedMs, closedMs, reportedMs } = facts;
  const ms = (value: number) => `${Math.round(value)} ms`;
  const problem = (said: string, remedy: string): Finding => ({ check, verdict: 'problem', said, remedy });
  if (detectedMs === null)
    return problem('a test process was started and not detected', 'see the log of the agent for its scanner');
  if (closedMs === null) {
    const remedy = 'the agent must run as root or SYSTEM to close what others started';
    return problem(`a test process was detected (${ms(detectedMs)}) and not closed`, remedy);
  }
  if (reportedMs === null) {
    const said = `a test process was detected (${ms(detectedMs)}) and closed (${ms(closedMs)}), its end not reported`;
    return problem(said, 'see the log of the agent');
  }
  const said = `a test process was detected after ${ms(detectedMs)}, closed after ${ms(closedMs)}, reported after ${ms(reportedMs)}`;
  return { check, verdict: 'ok', said };
}

/** An agent under the child's own account can be ended by the child. `uid` null: not to be seen from here. */
export function judgeAccount(uid: number | null): Finding {
  const check = 'account';
  if (uid === null) return { check, verdict: 'note', said: 'not to be seen on this platform' };
  if (uid === 0) return { check, verdict: 'ok', said: 'the agent runs as root' };
  const said = `the agent runs under uid ${uid}: whoever plays under that account can end it`;
  return { check, verdict: 'note', said, remedy: 'sudo playwarden service install' };
}

/** null: nothing on this machine manages services. */
export function judgeService(
  service: (ServiceState & { readonly kind: string }) | null,
  agentPid: number,
): Finding {
  const check = 'service';
  if (service === null)
    return {
      check,
      verdict: 'note',
      said: 'no service manager answers here: something else must start the agent',
    };
  const { kind, installed, enabled, running, pid } = service;
  const problem = (said: string, remedy: string): Finding => ({ check, verdict: 'problem', said, remedy });
  if (!installed) {
    return problem(
      `no ${kind} is installed: after a restart of the PC nobody watches`,
      'sudo playwarden service install',
    );
  }
  if (!enabled)
    return problem(`the ${kind} does not start with the machine`, 'sudo playwarden service install');
  if (!running) return problem(`the ${kind} does not run`, 'sudo playwarden service install');
  if (pid !== null && pid !== agentPid)
    return { check, verdict: 'note', said: `the ${kind} runs another agent (pid ${pid}) than this one` };
  return { check, verdict: 'ok', said: `${kind}, starts with the machine` };
}
