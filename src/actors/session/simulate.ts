/**
 * `playwarden simulate`: plays a written scenario through the very behaviour of the session actor, in virtual time,
 * and says what would happen, when and why. Pure. The scenario's format stands in CONFIGURATION.md.
 */
import type { EventBody, Explanation } from '../../protocol/events.ts';
import type { SessionCommand, SessionConfig, SettleResult, UsageRow } from '../../protocol/messages.ts';
import type { Scenario, ScenarioStep } from '../../protocol/scenario.ts';
import { type Calendar, calendarOf } from './calendar.ts';
import { duration } from './explain.ts';
import { VirtualMachine } from './virtual-machine.ts';

/** One line of what would happen. */
export interface SimulatedEvent {
  /** What an honest clock in the scenario's zone shows: `2026-11-28T09:05:00`. */
  readonly at: string;
  /** The scenario did it, the agent tells it, or the agent closes a game. */
  readonly kind: 'scenario' | 'event' | 'close';
  /** The event's or the step's name: `session_started`, `start`. */
  readonly what: string;
  readonly child: string | null;
  readonly sentence: string;
  readonly why: Explanation | null;
}

export interface Simulation {
  readonly events: readonly SimulatedEvent[];
  /** Used minutes per child, day and game. */
  readonly usage: readonly UsageRow[];
  /** How things stand at the end. */
  readonly status: SettleResult;
}

const AFTER_LAST_STEP_MS = 3_600_000;
/** A game takes a moment to close, as it does on a real PC. */
const CLOSE_TAKES_MS = 1_000;

export function simulate(config: SessionConfig, scenario: Scenario): Simulation {
  const calendar = calendarOf(scenario.zone, '00:00');
  const startMs = calendar.parseLocal(scenario.starts);
  const events: SimulatedEvent[] = [];
  const told = (entry: Omit<SimulatedEvent, 'at'>) =>
    events.push({ at: calendar.localTime(pc.honestMs), ...entry });
  const pc: VirtualMachine = new VirtualMachine({
    config,
    wallMs: startMs,
    zone: scenario.zone,
    closeTakesMs: CLOSE_TAKES_MS,
    forget: true,
    onOutput(output) {
      for (const event of output.events) {
        const sentence = sentenceOf(event, config);
        if (sentence !== null) told({ kind: 'event', ...sentence });
      }
      for (const { child, targets, why } of output.closes) {
        // One that cannot be closed is told as a failure, by an event.
        if (!targets.some(({ pid }) => pc.obeys(pid))) continue;
        told({ kind: 'close', what: 'close', child, sentence: why.sentence, why });
      }
    },
  });
  const player = new Player(pc, config);
  let lastMs = startMs;
  for (let day = 0; day < scenario.repeatDays; day++) {
    lastMs = Math.max(lastMs, dayLater(calendar, startMs, day));
    for (const step of scenario.steps) {
      const dueMs = dueAt(calendar, step.at, lastMs, startMs, day);
      pc.advance(Math.max(0, dueMs - pc.honestMs));
      lastMs = Math.max(lastMs, dueMs);
      // Before what followed from it.
      const index = events.length;
      const line = player.play(step);
      events.splice(index, 0, {
        at: calendar.localTime(pc.honestMs),
        kind: 'scenario',
        child: null,
        why: null,
        ...line,
      });
    }
  }
  const endMs = scenario.ends === null ? lastMs + AFTER_LAST_STEP_MS : calendar.parseLocal(scenario.ends);
  pc.advance(Math.max(0, endMs - pc.honestMs));
  const status = pc.settle();
  return { events, usage: pc.usage(), status };
}

/** Does what a step says; the answer is its line. */
class Player {
  readonly #pc: VirtualMachine;
  readonly #config: SessionConfig;
  readonly #pids = new Map<string, number[]>();
  #commands = 0;

  constructor(pc: VirtualMachine, config: SessionConfig) {
    this.#pc = pc;
    this.#config = config;
  }

  play(step: ScenarioStep): Partial<SimulatedEvent> & { what: string; sentence: string } {
    const pc = this.#pc;
    if ('start' in step) {
      const child = this.#child(step.child);
      const pid = pc.start(step.start, child, { obedience: step.obeys === false ? 'denied' : 'closes' });
      this.#pids.set(`${child} ${step.start}`, [...this.#running(child, step.start), pid]);
      return { what: 'start', child, sentence: `${step.start} is started` };
    }
    if ('stop' in step) {
      const child = this.#child(step.child);
      const pids = this.#running(child, step.stop);
      for (const pid of pids) pc.stop(pid);
      const sentence = pids.length > 0 ? `${step.stop} is ended` : `${step.stop} does not run any more`;
      return { what: 'stop', child, sentence };
    }
    if ('command' in step) return this.#command(step);
    if ('clock_minutes' in step) {
      pc.stepWall(step.clock_minutes * 60_000);
      const way = step.clock_minutes < 0 ? 'back' : 'forward';
      const by = duration(Math.abs(step.clock_minutes) * 60_000);
      return { what: 'clock', sentence: `the PC's clock is set ${way} by ${by}` };
    }
    if ('zone' in step) {
      pc.setZone(step.zone);
      return { what: 'zone', sentence: `the PC's time zone is set to ${step.zone}` };
    }
    if ('suspend_minutes' in step) {
      pc.suspend(step.suspend_minutes * 60_000);
      return {
        what: 'suspend',
        sentence: `the PC wakes after ${duration(step.suspend_minutes * 60_000)} of sleep`,
      };
    }
    if ('reboot_minutes' in step) {
      pc.reboot(step.reboot_minutes * 60_000);
      return {
        what: 'reboot',
        sentence: `the PC is on again after ${duration(step.reboot_minutes * 60_000)}`,
      };
    }
    if (step.agent === 'down') pc.agentDown();
    else if (!pc.up) pc.agentUp();
    return { what: 'agent', sentence: step.agent === 'down' ? 'the agent is killed' : 'the agent starts' };
  }

  #command(
    step: Extract<ScenarioStep, { command: unknown }>,
  ): Partial<SimulatedEvent> & { what: string; sentence: string } {
    const child_profile = this.#child(step.child);
    const command_id = `step-${++this.#commands}`;
    const parameters = step.parameters ?? {};
    // Checked against the command's own schema when the scenario was parsed.
    const answer = this.#pc.command({ ...step, command_id, child_profile, parameters } as SessionCommand);
    const sentence = answer.problem ? answer.problem.detail : `a parent ${saying(step.command, parameters)}`;
    return { what: step.command, child: child_profile, sentence };
  }

  #running(child: string, game: string): number[] {
    return (this.#pids.get(`${child} ${game}`) ?? []).filter((pid) => this.#pc.isRunning(pid));
  }

  #child(named: string | undefined): string {
    return named ?? Object.keys(this.#config.profiles)[0] ?? '';
  }
}

/** What a parent does, in words: `adds 15 minutes`. */
function saying(command: string, { minutes, game }: Readonly<Record<string, unknown>>): string {
  const length = typeof minutes === 'number' ? duration(minutes * 60_000) : null;
  const ofGame = game === undefined ? '' : ` of ${game}`;
  switch (command) {
    case 'extend_time':
      return `adds ${length}${ofGame}`;
    case 'set_time_limit':
      if (minutes === null) return `lifts the daily limit${ofGame}`;
      return `sets the daily limit${ofGame} ${length === null ? 'back to what is configured' : `to ${length}`}`;
    case 'pause':
      return `pauses play ${length === null ? 'until it is resumed' : `for ${length}`}`;
    default:
      return `${command}s play`;
  }
}

/** When a step is due: a time of day is the next one at or after the step before. */
function dueAt(calendar: Calendar, at: string, lastMs: number, startMs: number, day: number): number {
  if (at.includes('T')) return dayLater(calendar, calendar.parseLocal(at), day);
  const last = calendar.dayAt(lastMs);
  const today = calendar.parseLocal(`${last.day}T${at}`);
  const due = today >= lastMs ? today : calendar.parseLocal(`${calendar.dayAt(last.endMs).day}T${at}`);
  return Math.max(due, startMs);
}

/** The same time of day so many days later. */
function dayLater(calendar: Calendar, ms: number, days: number): number {
  const time = calendar.localTime(ms).slice(11);
  let span = calendar.dayAt(ms);
  for (let i = 0; i < days; i++) span = calendar.dayAt(span.endMs);
  return days === 0 ? ms : calendar.parseLocal(`${span.day}T${time}`);
}

/** An event as a line; null: said by another line already. */
function sentenceOf(
  event: EventBody,
  config: SessionConfig,
): Pick<SimulatedEvent, 'what' | 'child' | 'sentence' | 'why'> | null {
  if (event.type === 'agent_event') {
    return { what: event.event_type, child: null, sentence: event.data.message, why: null };
  }
  if (event.type === 'notification') {
    // A warning's notification repeats the event before it.
    if (event.data.type === 'time_limit_warning') return null;
    const { type, child_profile = null, message, why = null } = event.data;
    return { what: type, child: child_profile, sentence: message, why };
  }
  if (event.type !== 'session_event' || event.event_type === 'session_ended') return null;
  const data = event.data.session_data;
  const game = config.games.find((g) => g.id === data.game)?.name ?? data.game;
  const minutes = data.remaining_minutes;
  const left =
    minutes === null ? 'no limit' : `${minutes === 0 ? 'no time' : duration(minutes * 60_000)} left`;
  const sentence = data.why?.sentence ?? `a session of ${game} starts, ${left}`;
  return { what: event.event_type, child: data.child_profile, sentence, why: data.why ?? null };
}
