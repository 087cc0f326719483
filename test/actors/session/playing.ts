/** What the tests of the session actor share: a configuration to vary, a machine, and a look at what it said. */

import type { Reading } from '../../../src/actors/session/trusted-clock.ts';
import { VirtualMachine, type VirtualMachineOptions } from '../../../src/actors/session/virtual-machine.ts';
import type { Config, ProfileConfig } from '../../../src/protocol/config.ts';
import { DEFAULT_CONFIG } from '../../../src/protocol/config.ts';
import type { EventBody, SessionData } from '../../../src/protocol/events.ts';
import type { CloseOrder, SessionCommand, SessionConfig } from '../../../src/protocol/messages.ts';

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const KID = 'default_child';

const DEFAULT_PROFILE = DEFAULT_CONFIG.profiles[KID] as ProfileConfig;

export function profile(more: Partial<ProfileConfig> = {}): ProfileConfig {
  return { ...DEFAULT_PROFILE, ...more };
}

export function config(
  kid: Partial<ProfileConfig> = {},
  more: Partial<Pick<Config, 'day' | 'sessions' | 'profiles' | 'enforcement'>> & { games?: string[] } = {},
): SessionConfig {
  const { games = ['roblox', 'minecraft'], ...rest } = more;
  return {
    ...DEFAULT_CONFIG,
    games: games.map((id) => ({ id, name: id === 'roblox' ? 'Roblox' : id, match: [], ignore: [] })),
    profiles: { [KID]: profile(kid) },
    ...rest,
  };
}

/** A machine whose wall shows `wall` (`2026-01-15T16:00`, a Thursday) in `zone` when it starts. */
export function machine(
  kid: Partial<ProfileConfig> = {},
  more: Parameters<typeof config>[1] & {
    wall?: string;
    zone?: string;
    options?: Partial<VirtualMachineOptions>;
  } = {},
): VirtualMachine {
  const { wall = '2026-01-15T16:00', zone = 'UTC', options = {}, ...rest } = more;
  return new VirtualMachine({ config: config(kid, rest), wallMs: wallMs(wall, zone), zone, ...options });
}

/** The same machine's clocks so many ms later: it was awake, and nobody set them. */
export function later(base: Reading, ms: number): Reading {
  return {
    ...base,
    awakeMs: base.awakeMs + ms,
    elapsedMs: base.elapsedMs + ms,
    wallMs: base.wallMs + ms,
  };
}

/** A wall time of a zone as epoch ms, by Intl alone: an oracle beside the calendar under test. */
export function wallMs(wall: string, zone = 'UTC'): number {
  let ms = Date.parse(`${wall}Z`);
  for (let i = 0; i < 3; i++) ms += Date.parse(`${wall}Z`) - Date.parse(`${localText(ms, zone)}Z`);
  return ms;
}

export function localText(ms: number, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: zone })
    .format(ms)
    .replace(' ', 'T');
}

/** Everything told so far, short: `session_started`, `time_limit_warning 5`, `notification session_end`, … */
export function told(pc: VirtualMachine): string[] {
  return events(pc).map(short);
}

export function events(pc: VirtualMachine): EventBody[] {
  return pc.outputs.flatMap((output) => [...output.events]);
}

export function closes(pc: VirtualMachine): CloseOrder[] {
  return pc.outputs.flatMap((output) => [...output.closes]);
}

export function warnings(pc: VirtualMachine): number[] {
  return sessions(pc, 'time_limit_warning').map((data) => data.warning_minutes ?? Number.NaN);
}

export function sessions(pc: VirtualMachine, type: string): SessionData[] {
  return events(pc).flatMap((e) =>
    e.type === 'session_event' && e.event_type === type ? [e.data.session_data] : [],
  );
}

export function notifications(pc: VirtualMachine, type: string): string[] {
  return events(pc).flatMap((e) =>
    e.type === 'notification' && e.data.type === type ? [e.data.message] : [],
  );
}

export function agentEvents(pc: VirtualMachine): Extract<EventBody, { type: 'agent_event' }>[] {
  return events(pc).filter((e) => e.type === 'agent_event');
}

export function short(event: EventBody): string {
  if (event.type === 'notification') return `notification ${event.data.type}`;
  if (event.type === 'firebase_sync_request') return 'firebase_sync_request';
  if (event.type !== 'session_event') return `${event.event_type}`;
  const { warning_minutes } = event.data.session_data;
  return warning_minutes === undefined ? event.event_type : `${event.event_type} ${warning_minutes}`;
}

let commands = 0;

type Parameters_<N extends SessionCommand['command']> = Extract<SessionCommand, { command: N }>['parameters'];

/** A command for the child, its result as an object. */
export function order<N extends SessionCommand['command']>(
  pc: VirtualMachine,
  command: N,
  parameters: Parameters_<N>,
  child: string = KID,
): { readonly result?: unknown; readonly problem?: unknown } {
  const command_id = `c${++commands}`;
  return pc.command({ command, command_id, child_profile: child, parameters } as SessionCommand);
}

export function kid(pc: VirtualMachine) {
  const status = pc.settle().children[KID];
  if (!status) throw new Error('no such child');
  return status;
}
