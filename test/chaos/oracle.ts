/**
 * What the log of the agent must say after everything, decided by what was seen from outside: which games ran when, when
 * the agent could not look, which commands were answered. Pure. All times in epoch ms.
 */
import type { Frame } from '../helpers/ws-client.ts';

/** From the earliest to the latest that it can have been. */
export type Span = readonly [fromMs: number, toMs: number];

export interface Play {
  readonly pid: number;
  readonly startMs: Span;
  readonly endMs: Span;
}

interface SessionTimes {
  readonly session_id: string;
  readonly time_start: string;
  readonly time_end: string;
}

/** A fault, from when it was made until the agent was seen to work again. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface AnsweredCommand {
  readonly commandId: string;
  readonly command: 'send_notification' | 'extend_time';
  readonly title: string;
  readonly succeeded: boolean;
}

/** What the machine allows to be asked. */
export interface Allowance {
  /** How far a told time may be off when somebody looked, ms. */
  readonly toleranceMs: number;
  /** The agent is given so long to see a process that starts or ends right before an outage, ms. */
  readonly looksWithinMs: number;
  /** A game that comes back so soon goes on in its session (contract E1), ms. */
  readonly rejoinMs: number;
}

export interface Witness {
  readonly plays: readonly Play[];
  readonly outages: readonly Outage[];
  readonly commands: readonly AnsweredCommand[];
  /** All that the log holds, in its order. */
  readonly events: readonly Frame[];
  /** As the status told it at the end. */
  readonly extraMinutes: number;
}

/** Everything that does not agree, one sentence each. */
export function disagreements(witness: Witness, allowance: Allowance): string[] {
  return [
    ...holesInTheLog(witness.events),
    ...toldProcesses(witness, allowance),
    ...sessions(witness, allowance),
    ...commandEffects(witness),
  ];
}

function holesInTheLog(events: readonly Frame[]): string[] {
  const epochs = new Set(events.map((event) => event.meta.epoch));
  const ids = new Set(events.map((event) => event.meta.id));
  const hole = events.findIndex((event, i) => event.meta.offset !== i + 1);
  return [
    ...(epochs.size === 1 ? [] : [`the log has ${epochs.size} epochs`]),
    ...(ids.size === events.length ? [] : ['two events have one id']),
    ...(hole < 0 ? [] : [`offset ${events[hole].meta.offset} stands in place ${hole + 1}`]),
  ];
}

function toldProcesses({ plays, outages, events }: Witness, { looksWithinMs }: Allowance): string[] {
  const told = (kind: RegExp, pid: number) =>
    events.filter((e) => kind.test(e.event_type ?? '') && e.data.process_info.pid === pid).length;
  const strangers = events
    .filter((e) => e.event_type === 'roblox_started')
    .map((e) => e.data.process_info.pid as number)
    .filter((pid) => !plays.some((play) => play.pid === pid));
  // A pid comes round again: then what is told of it must fit all its games.
  const wrong = [...new Set(plays.map((play) => play.pid))].flatMap((pid) => {
    const games = plays.filter((play) => play.pid === pid);
    const starts = told(/^roblox_started$/, pid);
    const stops = told(/^roblox_(stopped|auto_closed)$/, pid);
    const seen = games.filter((play) => !outages.some((outage) => covers(outage, play, looksWithinMs)));
    if (starts === stops && starts >= seen.length && starts <= games.length) return [];
    const lives = games.map(
      ({ startMs, endMs }) => `${endMs[1] - startMs[0]} ms from ${new Date(startMs[0]).toISOString()}`,
    );
    return [`process ${pid} (${lives.join(', ')}) was told ${starts} starts and ${stops} stops`];
  });
  return [...strangers.map((pid) => `process ${pid} was told and is no game of ours`), ...wrong];
}

/** Nobody could have seen it: it came and went inside of one outage. */
function covers({ fromMs, toMs }: Outage, { startMs, endMs }: Play, looksWithinMs: number): boolean {
  return startMs[1] >= fromMs - looksWithinMs && endMs[0] <= toMs;
}

function sessions({ plays, outages, events }: Witness, allowance: Allowance): string[] {
  const { toleranceMs, looksWithinMs, rejoinMs } = allowance;
  const ended = events.filter((e) => e.event_type === 'session_ended').map((e) => e.data.session_data);
  const started = events
    .filter((e) => e.event_type === 'session_started')
    .map((e) => e.data.session_data.session_id);
  const ids = ended.map((session) => session.session_id);
  const counts = [
    ...(new Set(ids).size === ids.length ? [] : ['a session ended twice']),
    ...(new Set(started).size === started.length ? [] : ['a session started twice']),
    ...splitSessions(ended, rejoinMs),
    ...(started.length === ids.length ? [] : [`${started.length} sessions started and ${ids.length} ended`]),
  ];
  return [
    ...counts,
    ...ended.flatMap((session) => {
      const from = Date.parse(session.time_start);
      const to = Date.parse(session.time_end);
      const own = playsOf(plays, from, to);
      if (own.length === 0) return [`session ${session.session_id} has no game`];
      const start = hull(
        own.map((p) => p.startMs),
        Math.min,
      );
      const end = hull(
        own.map((p) => p.endMs),
        Math.max,
      );
      const length = [end[0] - start[1], end[1] - start[0]] as const;
      const offStart = outside(from, start);
      const offEnd = outside(to, end);
      const offLength = outside(session.duration_seconds * 1_000, length);
      const allowedMs = toleranceMs + blindMs(outages, end, looksWithinMs);
      if (offStart <= toleranceMs && offEnd <= allowedMs && offLength <= allowedMs + toleranceMs) return [];
      const seen = {
        told: [session.time_start, session.time_end, session.duration_seconds],
        really: [start, end].map((span) => span.map((ms) => new Date(ms).toISOString())),
        outages: outages.filter((o) => o.toMs > start[0] && o.fromMs < end[1] + 3_000),
      };
      return [
        `session ${session.session_id} is off: start ${offStart} ms, end ${offEnd} ms, length ${offLength} ms, allowed ${allowedMs}; ${JSON.stringify(seen)}`,
      ];
    }),
  ];
}

/** Sessions of one child and game that were one by their own times. */
function splitSessions(ended: readonly SessionTimes[], rejoinMs: number): string[] {
  const byStart = ended.toSorted((a, b) => Date.parse(a.time_start) - Date.parse(b.time_start));
  return byStart.flatMap((session, i) => {
    const before = byStart[i - 1];
    const isApart = !before || Date.parse(session.time_start) - Date.parse(before.time_end) > rejoinMs;
    return isApart
      ? []
      : [`${before.session_id} (to ${before.time_end}) and ${session.session_id} are one session`];
  });
}

/** The games of a session: those that ran in its time, or else the one that ran nearest to it. */
function playsOf(plays: readonly Play[], fromMs: number, toMs: number): readonly Play[] {
  const within = plays.filter((p) => p.startMs[0] < toMs && p.endMs[1] > fromMs);
  if (within.length > 0) return within;
  const distance = (p: Play) => Math.max(p.startMs[0] - toMs, fromMs - p.endMs[1]);
  return plays.toSorted((a, b) => distance(a) - distance(b)).slice(0, 1);
}

/** Between which moments the first (Math.min) or the last (Math.max) of these was. */
function hull(spans: readonly Span[], pick: (...ms: number[]) => number): Span {
  return [pick(...spans.map(([from]) => from)), pick(...spans.map(([, to]) => to))];
}

/** How far it lies outside of the span; 0: inside. */
function outside(ms: number, [from, to]: Span): number {
  return Math.max(0, from - ms, ms - to);
}

/** When a game ends while nobody can see it, its end is known as well as the outage was short. */
function blindMs(outages: readonly Outage[], end: Span, looksWithinMs: number): number {
  return Math.max(
    0,
    ...outages
      .filter(({ fromMs, toMs }) => end[1] >= fromMs - looksWithinMs && end[0] <= toMs)
      .map(({ fromMs, toMs }) => toMs - fromMs),
  );
}

function commandEffects({ commands, events, extraMinutes }: Witness): string[] {
  const extended = commands.filter((c) => c.command === 'extend_time' && c.succeeded).length;
  return [
    ...(extended === extraMinutes ? [] : [`${extended} extensions of a minute made ${extraMinutes} minutes`]),
    ...commands.flatMap(({ commandId, command, title, succeeded }) => {
      const wanted = succeeded ? 1 : 0;
      const told = events.filter(
        (e) => e.event_type === 'command_completed' && e.data.command_id === commandId,
      ).length;
      const shown = events.filter((e) => e.type === 'notification' && e.data.title === title).length;
      if (told === wanted && (command !== 'send_notification' || shown === wanted)) return [];
      return [
        `command ${commandId} (${command}, ${succeeded ? 'success' : 'error'}): told ${told}, shown ${shown}`,
      ];
    }),
  ];
}
