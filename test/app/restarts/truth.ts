/**
 * What must have been told and charged, from the contract and from what really happened. Pure. All moments on the awake
 * clock; the times of sessions are read on it too, so it is asked of runs alone whose clocks nobody moved.
 */
import type { EventBody, SessionData } from '../../../src/protocol/events.ts';
import type { Entry } from './disk.ts';
import { type Machine, MESSAGE_MS, type Running } from './machine.ts';

export const REJOIN_MS = 10_000;
/** From the scanner to the session actor two messages are under way, one behind the other, ms. */
const UNDER_WAY_MS = 2 * MESSAGE_MS;
/** A game that comes back so shortly before the rejoin is over may be heard of too late for it, ms. */
const NEARLY_MS = UNDER_WAY_MS;
/** A look may charge what ended while the word of it was under way, ms. */
const ABOUT_MS = UNDER_WAY_MS + 5;
/** A start may be that far off, ms: ids are moments, and starts in the same one get the next that is free. */
const SAME_START_MS = 20;
/** Two looks lie so far apart at most, ms. */
const LOOK_MS = 1_500;
/** While no scanner looks main asks so often whether a process still runs, ms: what ends is known to that. */
const WATCH_MS = 1_000;
/** Behind a session actor that does not answer a stop waits so long, ms. */
const GATE_MS = 5_000;

/** A process as one child's: from its start, or from when it became this child's. */
interface Stint {
  readonly pid: number;
  readonly child: string;
  readonly game: string;
  readonly startMs: number;
  /** The earliest start that it can be charged from: of one that was another child's, the end for that one. */
  readonly fromMs: number;
  /** The earliest and the latest end that it can be charged to. */
  readonly endMs: readonly [number, number];
  readonly startAt: number;
  readonly stopAt: number;
  /** It had been another child's before. */
  readonly moved: boolean;
  /** How long its stop waited, ms. */
  readonly waitedMs: number;
}

interface Told extends SessionData {
  readonly fromMs: number;
  readonly toMs: number;
  readonly startAt: number;
  readonly endAt: number;
}

/** Everything that does not agree, one sentence each. */
export function disagreements(machine: Machine, biasMs: number, timesHold: boolean): string[] {
  const { entries } = machine.disk;
  const wrong: string[] = [];
  // A command or a reload that waits behind a hang is carried out before a stop that waits behind it.
  const aboutMs = ABOUT_MS + (machine.asked ? machine.hungMs : 0);
  const stints = machine.all.flatMap((running) => stintsOf(machine, running, { biasMs, timesHold }, wrong));
  const told = sessionsIn(entries, biasMs, wrong);
  wrong.push(...machine.disk.shrunk.map((what) => `usage shrank: ${what}`));
  if (timesHold) wrong.push(...compare(stints, told, aboutMs));
  wrong.push(...charged(machine, stints, told, aboutMs));
  return [...wrong, ...repeated(entries)];
}

const isStart = (e: EventBody) => 'event_type' in e && /^(roblox|game)_started$/.test(e.event_type);
const isStop = (e: EventBody) =>
  'event_type' in e && /^(roblox|game)_(stopped|auto_closed)$/.test(e.event_type);

interface ProcessData {
  readonly process_info: { readonly pid: number; readonly ended_at?: string | null };
  readonly child_profile: string | null;
}
const dataOf = (e: EventBody) => (e as unknown as { data: ProcessData }).data;

/** E1: its starts and stops in turn, one of each but when it became another child's; with moments that can be. */
function stintsOf(
  machine: Machine,
  running: Running,
  clock: { biasMs: number; timesHold: boolean },
  wrong: string[],
): Stint[] {
  const { pid, game, startedAwakeMs } = running.process;
  const { biasMs, timesHold } = clock;
  const own = machine.disk.entries
    .map((entry, at) => ({ ...entry, at }))
    .filter(({ event }) => (isStart(event) || isStop(event)) && dataOf(event).process_info.pid === pid);
  const stints: Stint[] = [];
  let goneMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < own.length; i += 2) {
    const [start, stop] = [own[i], own[i + 1]];
    if (!start || !stop || !isStart(start.event) || !isStop(stop.event)) {
      wrong.push(
        `process ${pid} was told as ${own.map((e) => (isStart(e.event) ? 'start' : 'stop')).join(', ')}`,
      );
      return stints;
    }
    const [child, until] = [dataOf(start.event).child_profile, dataOf(stop.event).child_profile];
    const last = i + 2 >= own.length;
    if (child !== until)
      wrong.push(`process ${pid} was told as started by ${child} and as stopped by ${until}`);
    const at = dataOf(stop.event).process_info.ended_at ?? null;
    const exact = at !== null;
    const movedAt = exact && timesHold ? Math.min(stop.atMs, Date.parse(at) - biasMs) : stop.atMs;
    const startMs = i === 0 ? startedAwakeMs : start.atMs;
    const ended = last ? running.endMs! : timesHold ? movedAt : stop.atMs;
    const heardBy = last ? running.heardBy : null;
    const kill = machine.kills.find((k) => k.agent === heardBy);
    if (
      heardBy &&
      !exact &&
      (kill === undefined || kill.atMs > running.heardAtMs + GATE_MS + machine.frozen.ms + 1)
    ) {
      wrong.push(`process ${pid} ended before its eyes at ${ended} and was told without a moment`);
    }
    const unheard = exact && last && !heardBy;
    // What was another child's at the next start of the agent was this one's up to nobody knows when.
    const down = last
      ? null
      : machine.kills.filter((k) => k.atMs >= start.atMs && k.atMs <= stop.atMs).at(-1);
    const seen = machine.looks.filter((at) => at <= Math.min(ended, down?.atMs ?? ended)).at(-1) ?? 0;
    const latest = !last || running.agentWasUp ? stop.atMs : ended;
    // It ended between the two halves of a reload: told as stopped for the one child, and never for the other.
    const between = machine.reloaded && last && exact && movedAt < ended - ABOUT_MS;
    const endMs = between
      ? ([movedAt, ended] as const)
      : unheard
        ? // It was found to be another child's before anybody found it gone.
          // Or main's watch did, and knows its last look.
          ([Math.min(ended, movedAt - WATCH_MS), Math.max(ended, movedAt) + WATCH_MS] as const)
        : exact
          ? ([last || timesHold ? ended : ended - GATE_MS - machine.frozen.ms, ended] as const)
          : ([Math.max(startMs, seen - LOOK_MS), latest] as const);
    const waitedMs = stop.atMs - ended;
    const freeMs = goneMs;
    goneMs = endMs[0];
    if (child)
      stints.push({
        pid,
        child,
        game,
        startMs,
        fromMs: Math.min(startMs, freeMs),
        endMs,
        startAt: start.at,
        stopAt: stop.at,
        moved: i > 0,
        waitedMs,
      });
  }
  return stints;
}

/** E4: each session once, with all that is told at its end, in order. */
function sessionsIn(entries: readonly Entry[], biasMs: number, wrong: string[]): Told[] {
  const kinds = new Map<string, { kind: string; at: number; data: SessionData | null }[]>();
  entries.forEach(({ event }, at) => {
    const data = event.type === 'session_event' ? event.data.session_data : null;
    const sync = event.type === 'firebase_sync_request' ? event.data.data : null;
    const end = event.type === 'notification' && event.data.type === 'session_end' ? event.data : null;
    const id = data?.session_id ?? sync?.session_id ?? (end?.session_id as string | undefined);
    if (id === undefined) return;
    const kind = event.type === 'session_event' ? event.event_type : event.type;
    kinds.set(id, [...(kinds.get(id) ?? []), { kind, at, data }]);
  });
  return [...kinds].flatMap(([id, all]) => {
    const line = all.filter((e) => e.kind !== 'time_limit_warning').map((e) => e.kind);
    if (line.join() !== 'session_started,session_ended,notification,firebase_sync_request') {
      wrong.push(`session ${id} was told as ${line.join()}`);
    }
    const first = all.find((e) => e.kind === 'session_started');
    const last = all.find((e) => e.kind === 'session_ended');
    if (
      all.some((e) => e.kind === 'time_limit_warning' && (e.at < (first?.at ?? 0) || e.at > (last?.at ?? 0)))
    ) {
      wrong.push(`a warning of ${id} stands outside of it`);
    }
    if (!first || !last?.data) return [];
    const { data } = last;
    const fromMs = Date.parse(data.time_start) - biasMs;
    const toMs = Date.parse(data.time_end ?? '') - biasMs;
    return [{ ...data, fromMs, toMs, startAt: first.at, endAt: last.at }];
  });
}

function compare(stints: readonly Stint[], told: readonly Told[], aboutMs: number): string[] {
  const wrong: string[] = [];
  const group = (s: { child?: string; child_profile?: string | null; game: string }) =>
    `${s.child ?? s.child_profile} ${s.game}`;
  for (const key of new Set([...stints, ...told].map(group))) {
    const sessions = told.filter((s) => group(s) === key).sort((a, b) => a.fromMs - b.fromMs);
    const own = new Map<Told, Stint[]>(sessions.map((s) => [s, []]));
    for (const stint of stints.filter((s) => group(s) === key)) {
      // One that is found only when its session is told already may have begun before it.
      const holds = sessions.filter(
        (s) =>
          stint.startMs <= s.toMs + 5 &&
          (stint.startMs >= s.fromMs - SAME_START_MS ||
            (stint.startAt > s.startAt && stint.endMs[1] >= s.fromMs)),
      );
      if (holds.length !== 1) {
        wrong.push(`process ${stint.pid} of ${key} from ${stint.startMs} is in ${holds.length} sessions`);
      }
      for (const session of holds) own.get(session)?.push(stint);
    }
    sessions.forEach((session, i) => {
      const before = sessions[i - 1];
      if (before && session.fromMs - before.toMs <= REJOIN_MS - NEARLY_MS) {
        wrong.push(`${before.session_id} to ${before.toMs} and ${session.session_id} are one session`);
      }
      wrong.push(...asPlayed(session, own.get(session) ?? [], aboutMs));
    });
  }
  return wrong;
}

function asPlayed(session: Told, stints: readonly Stint[], aboutMs: number): string[] {
  const { session_id: id, fromMs, toMs } = session;
  if (stints.length === 0) return [`session ${id} has no process`];
  const wrong: string[] = [];
  const first = stints.filter((s) => s.startAt < session.startAt);
  const starts = first.length > 0 ? first : stints;
  const startMs = Math.min(...starts.map((s) => s.startMs));
  const earliestMs = Math.min(...starts.map((s) => s.fromMs));
  const least = Math.max(...stints.map((s) => s.endMs[0]));
  // One that had ended before anybody knew and was given to another child was that one's for no time.
  const most = Math.max(...stints.map((s) => Math.max(s.startMs, s.endMs[1])));
  if (fromMs < earliestMs - SAME_START_MS || fromMs > startMs + SAME_START_MS)
    wrong.push(`session ${id} starts at ${fromMs}, its game did at ${startMs}`);
  if (toMs < least - aboutMs || toMs > most + aboutMs) {
    wrong.push(`session ${id} ends at ${toMs}, its game between ${least} and ${most}`);
  }
  const [shortest, longest] = [unionMs(stints, 0), unionMs(stints, 1)];
  const length = session.duration_seconds * 1_000;
  if (length < shortest - aboutMs * stints.length || length > longest + aboutMs * stints.length) {
    wrong.push(`session ${id} was ${length} ms long, its game ${shortest} to ${longest}`);
  }
  if (Math.min(...stints.map((s) => s.startAt)) > session.startAt)
    wrong.push(`${id} was told before its process`);
  let reach = Number.POSITIVE_INFINITY;
  for (const s of stints.toSorted((a, b) => a.startMs - b.startMs)) {
    if (s.startMs - reach > REJOIN_MS + aboutMs)
      wrong.push(`session ${id} holds plays ${s.startMs - reach} ms apart`);
    reach = Math.max(s.endMs[1], reach === Number.POSITIVE_INFINITY ? 0 : reach);
    if (s.stopAt > session.endAt) wrong.push(`${id} was told as ended before process ${s.pid}`);
    if (!s.moved && s.stopAt < session.startAt && s.waitedMs < GATE_MS - 5)
      wrong.push(`${id} was told after process ${s.pid} ended`);
  }
  return wrong;
}

/** How long any of them ran: 0 at least, 1 at most. */
function unionMs(stints: readonly Stint[], which: 0 | 1): number {
  let [sum, reach] = [0, Number.NEGATIVE_INFINITY];
  const startOf = (stint: Stint) => (which === 0 ? stint.startMs : stint.fromMs);
  for (const stint of stints.toSorted((a, b) => startOf(a) - startOf(b))) {
    sum += Math.max(0, stint.endMs[which] - Math.max(startOf(stint), reach));
    reach = Math.max(reach, stint.endMs[which]);
  }
  return sum;
}

/** What the days hold is what the sessions hold, and what was played; the child's own is the union over its games. */
function charged(
  machine: Machine,
  stints: readonly Stint[],
  told: readonly Told[],
  aboutMs: number,
): string[] {
  const wrong: string[] = [];
  const usage = [...machine.disk.usage.values()];
  for (const child of new Set(stints.map((s) => s.child))) {
    for (const game of ['', ...new Set(stints.map((s) => s.game))]) {
      const used = usage
        .filter((u) => u.child === child && u.game === game)
        .reduce((sum, u) => sum + u.usedMs, 0);
      const own = stints.filter((s) => s.child === child && (game === '' || s.game === game));
      const about = aboutMs * (own.length + 1);
      const [least, most] = [unionMs(own, 0), unionMs(own, 1)];
      if (used < least - about || used > most + about) {
        wrong.push(`${child} ${game || 'in all'} was charged ${used} ms and played ${least} to ${most}`);
      }
      const ofSessions = told
        .filter((s) => s.child_profile === child && s.game === game)
        .reduce((sum, s) => sum + s.duration_seconds * 1_000, 0);
      if (game !== '' && Math.abs(ofSessions - used) > 5 * (told.length + 1)) {
        wrong.push(`${child} ${game} was charged ${used} ms, its sessions say ${ofSessions}`);
      }
    }
  }
  return wrong;
}

const isNextDay = (why: { readonly clock?: unknown } | undefined) =>
  String(why?.clock).slice(0, 16) >= '2026-01-15T16:00';

/**
 * T4, T6: between two commands no warning comes twice on a day, and that its time is up, or that a start is refused, once a
 * minute at most each: what was refused does not silence the end of what plays.
 */
function repeated(entries: readonly Entry[]): string[] {
  const wrong: string[] = [];
  const seen = new Set<string>();
  const upAt = new Map<string, number>();
  let commands = 0;
  for (const { atMs, event } of entries) {
    if (event.type === 'command_event') commands += 1;
    if (event.type === 'session_event' && event.event_type === 'time_limit_warning') {
      const { child_profile, limited_by, game, warning_minutes, why } = event.data.session_data;
      const scope = limited_by === 'game' ? game : '';
      const key = `${child_profile} ${scope} ${warning_minutes} ${commands} ${isNextDay(why)}`;
      if (seen.has(key)) wrong.push(`warning twice: ${key}`);
      seen.add(key);
    }
    if (event.type === 'notification' && event.data.type === 'time_limit_exceeded') {
      const { child_profile, why, message } = event.data;
      const isEnd = message.includes('It is closed in ');
      const key = `${child_profile} ${why?.rule} ${isEnd} ${commands} ${isNextDay(why)}`;
      if (atMs - (upAt.get(key) ?? Number.NEGATIVE_INFINITY) < 60_000 - LOOK_MS) {
        wrong.push(`told within a minute that time is up: ${key} at ${atMs}`);
      }
      upAt.set(key, atMs);
    }
  }
  return wrong;
}
