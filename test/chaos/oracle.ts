/**
 * What the log of the agent must say after everything, decided by what was seen from outside: which games ran when, when
 * the agent could not look, which commands were answered. Pure. All times in epoch ms.
 */
import type { Frame } from '../helpers/ws-client.ts';

export interface Play {
  readonly pid: number;
  readonly startMs: number;
  readonly endMs: number;
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

export interface Witness {
  readonly plays: readonly Play[];
  readonly outages: readonly Outage[];
  readonly commands: readonly AnsweredCommand[];
  /** All that the log holds, in its order. */
  readonly events: readonly Frame[];
  /** As the status told it at the end. */
  readonly extraMinutes: number;
}

/** How far a told time may be off when somebody looked, ms. */
const TOLERANCE_MS = 2_000;
/** The agent is given so long to see a process that starts or ends right before an outage, ms. */
const LOOKS_WITHIN_MS = 300;

/** Everything that does not agree, one sentence each. */
export function disagreements(witness: Witness): string[] {
  return [
    ...holesInTheLog(witness.events),
    ...toldProcesses(witness),
    ...sessions(witness),
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

function toldProcesses({ plays, outages, events }: Witness): string[] {
  const told = (kind: RegExp, pid: number) =>
    events.filter((e) => kind.test(e.event_type ?? '') && e.data.process_info.pid === pid).length;
  const strangers = events
    .filter((e) => e.event_type === 'roblox_started')
    .map((e) => e.data.process_info.pid as number)
    .filter((pid) => !plays.some((play) => play.pid === pid));
  const wrong = plays.flatMap((play) => {
    const starts = told(/^roblox_started$/, play.pid);
    const stops = told(/^roblox_(stopped|auto_closed)$/, play.pid);
    if (starts === 1 && stops === 1) return [];
    if (starts === 0 && stops === 0 && outages.some((outage) => covers(outage, play))) return [];
    const life = `${play.endMs - play.startMs} ms from ${new Date(play.startMs).toISOString()}`;
    return [`process ${play.pid} (${life}) was told ${starts} starts and ${stops} stops`];
  });
  return [...strangers.map((pid) => `process ${pid} was told and is no game of ours`), ...wrong];
}

/** Nobody could have seen it: it came and went inside of one outage. */
function covers({ fromMs, toMs }: Outage, { startMs, endMs }: Play): boolean {
  return startMs >= fromMs - LOOKS_WITHIN_MS && endMs <= toMs;
}

function sessions({ plays, outages, events }: Witness): string[] {
  const ended = events.filter((e) => e.event_type === 'session_ended').map((e) => e.data.session_data);
  const started = events
    .filter((e) => e.event_type === 'session_started')
    .map((e) => e.data.session_data.session_id);
  const ids = ended.map((session) => session.session_id);
  const counts = [
    ...(new Set(ids).size === ids.length ? [] : ['a session ended twice']),
    ...(new Set(started).size === started.length ? [] : ['a session started twice']),
    ...(started.length === ids.length ? [] : [`${started.length} sessions started and ${ids.length} ended`]),
  ];
  return [
    ...counts,
    ...ended.flatMap((session) => {
      const from = Date.parse(session.time_start);
      const to = Date.parse(session.time_end);
      const inside = plays.filter((p) => p.startMs < to + TOLERANCE_MS && p.endMs > from - TOLERANCE_MS);
      const overlapping = inside.filter((p) => p.startMs < to && p.endMs > from);
      const own = overlapping.length > 0 ? overlapping : inside;
      if (own.length === 0) return [`session ${session.session_id} has no game`];
      const startMs = Math.min(...own.map((p) => p.startMs));
      const endMs = Math.max(...own.map((p) => p.endMs));
      const offStart = Math.abs(from - startMs);
      const offEnd = Math.abs(to - endMs);
      const offLength = Math.abs(session.duration_seconds * 1_000 - (endMs - startMs));
      const allowed = TOLERANCE_MS + blindMs(outages, endMs);
      if (offStart <= TOLERANCE_MS && offEnd <= allowed && offLength <= allowed + TOLERANCE_MS) return [];
      return [
        `session ${session.session_id} is off: start ${offStart} ms, end ${offEnd} ms, length ${offLength} ms, allowed ${allowed}; ${JSON.stringify({ from: session.time_start, to: session.time_end, seconds: session.duration_seconds, really: [new Date(startMs).toISOString(), new Date(endMs).toISOString()], outages: outages.filter((o) => o.toMs > startMs && o.fromMs < endMs + 3_000) })}`,
      ];
    }),
  ];
}

/** When a game ends while nobody can see it, its end is known as well as the outage was short. */
function blindMs(outages: readonly Outage[], endMs: number): number {
  return Math.max(
    0,
    ...outages
      .filter(({ fromMs, toMs }) => endMs >= fromMs - LOOKS_WITHIN_MS && endMs <= toMs)
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
