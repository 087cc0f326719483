/**
 * `playwarden doctor`: looks at a running agent from end to end, as a client on this machine can, and prints what is
 * well and how to mend what is not. What is made of the facts stands in judge.ts.
 */
import { lstatSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { readConfig } from '../../app/config-file.ts';
import { defaultDataDir, reasonOf } from '../../app/data-dir.ts';
import { replaceable } from '../../app/path-owners.ts';
import { isToken, tokenFiles } from '../../app/tokens.ts';
import { AgentApi, AgentError } from '../../client/agent-api.ts';
import { type AgentFile, findAgent, findEndpoint } from '../../client/discover.ts';
import { nodeFetch } from '../../client/node-fetch.ts';
import { NotRunningError } from '../../client/not-running.ts';
import { readPlainFile } from '../../client/plain-file.ts';
import { EXIT, type ExitCode } from '../../protocol/exit-codes.ts';
import { HTTP_ANSWERS } from '../../protocol/http-answers.ts';
import type { Position } from '../../protocol/position.ts';
import { columns, type Paint, paintFor } from '../columns.ts';
import { duration } from '../report-text.ts';
import { type DataDirOption, misunderstood } from '../running-agent.ts';
import { serviceState } from '../service/service.ts';
import {
  type AgentFacts,
  type FileFacts,
  type Finding,
  judgeAccount,
  judgeClock,
  judgeConfig,
  judgeDelivery,
  judgeDetection,
  judgeFiles,
  judgeHealth,
  judgePlace,
  judgePort,
  judgeSelfTest,
  judgeService,
  judgeStore,
} from './judge.ts';
import { runSelfTest } from './self-test.ts';
import { pollEvents, watchEvents } from './watch.ts';

export interface DoctorOptions extends DataDirOption {
  readonly json?: boolean;
}

const REQUEST_MS = 5_000;
/** Answers to a wrong token, the second after ten of them (contract S4). */
const REFUSED = new Set([401, 429]);
const LOOPBACK = ['127.0.0.1', '::1'];

/** 0 when nothing is wrong, 1 when something is. */
export async function doctor(options: DoctorOptions): Promise<ExitCode> {
  const dir = options.dataDir ?? defaultDataDir();
  const findings = await examine(dir);
  const problems = findings.filter(({ verdict }) => verdict === 'problem').length;
  if (options.json) console.log(JSON.stringify({ ok: problems === 0, findings }, null, 2));
  else console.log(doctorText(findings, paintFor(process.stdout, process.env)));
  return problems === 0 ? EXIT.ok : EXIT.failed;
}

async function examine(dir: string): Promise<Finding[]> {
  const risk = replaceable(dir);
  let agent: AgentFile;
  try {
    agent = await findAgent(dir);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    if (error instanceof NotRunningError && error.hidden)
      return [{ check: 'agent', verdict: 'problem', said, remedy: 'ask as the account of the agent' }];
    const remedy = 'playwarden service install, or playwarden run; another place: --data-dir';
    return [
      { check: 'agent', verdict: 'problem', said, remedy },
      ...(await couldStart(dir)),
      ...(risk === null ? [] : [judgePlace(risk)]),
      judgeService(await serviceState(), 0),
    ];
  }
  const uid = ownerOf(agent.pid);
  const [asked, files] = await Promise.all([ask(dir, agent), fileFacts(dir)]);
  const place = process.platform === 'win32' ? [] : [judgePlace(risk)];
  const base = [judgeFiles(files, uid), ...place, judgeAccount(uid)];
  const last = judgeService(await serviceState(), agent.pid);
  if ('remedy' in asked) {
    return [{ check: 'agent', verdict: 'problem', ...asked }, ...base, last];
  }
  const { facts, clockAheadMs, websocket, now } = asked;
  const up = duration(facts.uptime_seconds / 60);
  const said = `version ${facts.version}, pid ${agent.pid}, port ${agent.port}, up ${up}`;
  return [
    { check: 'agent', verdict: 'ok', said },
    judgeHealth(facts),
    ...base,
    judgeClock(clockAheadMs),
    judgeStore(facts, await freeBytes(dir)),
    judgeDetection(facts, process.platform),
    ...(await watchAndTest(dir, facts, websocket, now)),
    last,
  ];
}

/** What an agent would find that started now. */
async function couldStart(dir: string): Promise<Finding[]> {
  const read = readConfig(undefined, dir);
  if (!read.ok)
    return [
      judgeConfig(
        read.file,
        read.errors.map(({ path, message }) => `${path}: ${message}`),
      ),
    ];
  const { port } = read.config.desktop_client.websocket;
  const answers = await Promise.all(LOOPBACK.map((host) => answersAt(host, port)));
  return [
    judgeConfig(read.file, []),
    judgePort(
      port,
      LOOPBACK.filter((_, i) => answers[i]),
    ),
  ];
}

function answersAt(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    const socket = connect({ host, port, timeout: REQUEST_MS });
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

interface Asked {
  readonly facts: AgentFacts;
  readonly clockAheadMs: number;
  /** Whether clients may use it. */
  readonly websocket: boolean;
  readonly now: Position;
}

/** What it did instead of an answer. */
interface NoAnswer {
  readonly said: string;
  readonly remedy: string;
}

async function ask(dir: string, agent: AgentFile): Promise<Asked | NoAnswer> {
  const remedy = 'see the log of the agent; a restart of the agent is harmless';
  const resolve = () => findEndpoint(dir);
  const api = new AgentApi(nodeFetch, resolve, 'command-line');
  try {
    const { url } = await resolve();
    const before = Date.now();
    const health = await fetch(`${url}/health`, { signal: AbortSignal.timeout(REQUEST_MS) });
    const halfway = (before + Date.now()) / 2;
    const { timestamp } = (await health.json()) as { readonly timestamp: string };
    const status = await api.status(AbortSignal.timeout(REQUEST_MS));
    const problem = misunderstood(HTTP_ANSWERS['GET /desktop/status'], status, agent);
    if (problem !== null) return { said: problem, remedy };
    return {
      facts: status.agent as unknown as AgentFacts,
      clockAheadMs: halfway - Date.parse(timestamp),
      websocket: status.websocket_available,
      now: { epoch: status.epoch, offset: status.last_offset },
    };
  } catch (error) {
    if (isLate(error)) {
      return {
        said: `it holds its port, but did not answer within ${REQUEST_MS / 1_000} s: it hangs or was stopped`,
        remedy: `if it was stopped: kill -CONT ${agent.pid}; else end it with kill -KILL ${agent.pid}: its service starts it again, and nothing is lost`,
      };
    }
    const why = error instanceof Error ? error.message : String(error);
    return {
      said: error instanceof AgentError ? `it refuses to answer: ${why}` : `it does not answer: ${why}`,
      remedy,
    };
  }
}

/** A request that was given up: all are given their time by a signal, whose own words say nothing to anybody. */
function isLate(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
}

async function watchAndTest(
  dir: string,
  facts: AgentFacts,
  websocket: boolean,
  now: Position,
): Promise<Finding[]> {
  try {
    const watch = await (websocket ? watchEvents(dir) : pollEvents(dir, now));
    const tested = facts.self_test
      ? await runSelfTest(watch, facts.self_test)
      : 'not done: this agent has no self-test';
    watch.close();
    return [judgeDelivery(watch.welcome, { websocket, polling: true }), judgeSelfTest(tested)];
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const why = isLate(error) ? `no answer came within ${REQUEST_MS / 1_000} s` : said;
    const polling = !(error instanceof AgentError && error.slug === 'transport-disabled');
    return [judgeDelivery(why, { websocket, polling }), judgeSelfTest('not done: nobody could watch it')];
  }
}

async function fileFacts(dir: string): Promise<FileFacts[]> {
  if (process.platform === 'win32') return [];
  const files = tokenFiles(dir);
  const [control, view] = await Promise.all([tokenFact(dir, 'control'), tokenFact(dir, 'view')]);
  return [
    look(dir, 0o711),
    { ...look(files.control, 0o600), token: control },
    { ...look(files.view, 0o644), token: view },
  ];
}

function look(path: string, most: number): FileFacts {
  try {
    const { mode, uid } = lstatSync(path);
    return { path, most, mode, uid };
  } catch (error) {
    // The child's account may pass through the directory and see neither its owner nor its rights.
    return { path, most, mode: reasonOf(error) === 'EACCES' ? 0 : null, uid: null };
  }
}

/** What the agent makes of the token as it stands in its file now. */
async function tokenFact(dir: string, kind: 'view' | 'control'): Promise<FileFacts['token']> {
  try {
    if (!isToken((await readPlainFile(tokenFiles(dir)[kind])).trim())) return 'malformed';
    const api = new AgentApi(nodeFetch, () => findEndpoint(dir, kind), 'command-line');
    await api.status(AbortSignal.timeout(REQUEST_MS));
    return 'taken';
  } catch (error) {
    return error instanceof AgentError && REFUSED.has(error.status) ? 'refused' : undefined;
  }
}

function ownerOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return null;
  }
}

async function freeBytes(dir: string): Promise<number | null> {
  return statfs(dir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
}

/** The findings as a table; a remedy stands under what it mends. */
export function doctorText(findings: readonly Finding[], paint: Paint): string {
  const colour = { ok: 'green', note: 'yellow', problem: 'red' } as const;
  const rows = findings.flatMap(({ check, verdict, said, remedy }) => [
    [check, paint(colour[verdict], verdict), said],
    ...(remedy && verdict !== 'ok' ? [['', '', `→ ${remedy}`]] : []),
  ]);
  const problems = findings.filter(({ verdict }) => verdict === 'problem').length;
  const sum = problems === 0 ? 'All is well.' : problems === 1 ? 'One problem.' : `${problems} problems.`;
  return [...columns(rows), '', sum].join('\n');
}
