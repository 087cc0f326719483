/**
 * What came of a command, written once: its stored answer and its command_event in one transaction. Whoever comes
 * second (the desk after the router, a resumed command after its late effect) finds the answer and changes nothing.
 */
import type { CloseReport, Command, CommandAnswer } from '../protocol/commands.ts';
import type { CommandEvent } from '../protocol/events.ts';
import { fitting } from '../protocol/fitting.ts';
import type { CommandRecord, Store } from '../protocol/ports.ts';
import { PROBLEMS, type Problem, problemBody } from '../protocol/problems.ts';

export type CommandStorage = Pick<Store, 'commands' | 'log' | 'commit' | 'durable'>;

export interface Outcome {
  readonly status: CommandAnswer['status'];
  readonly result: unknown;
}

/**
 * Stores the answer and tells it, unless that was done before; returns the stored answer, or null when no such
 * command was accepted.
 */
export function recordOutcome(
  store: Pick<Store, 'commands' | 'log' | 'commit'>,
  commandId: string,
  outcome: Outcome,
): CommandAnswer | null {
  return store.commit(() => {
    const record = store.commands.get(commandId);
    if (!record || record.answer) return record?.answer ?? null;
    const answer: CommandAnswer = {
      status: outcome.status,
      command: nameOf(record.command),
      command_id: commandId,
      duplicate: false,
      result: outcome.result,
    };
    store.commands.finish(commandId, answer);
    store.log.append([outcomeEvent(record.command, answer)]);
    return answer;
  });
}

/**
 * A close succeeded when nothing of the game was left running by a refusal. `outcome` is the worst of them. A child can
 * start more processes than an event has room for: `left_out` then counts those that are not listed.
 */
export function closeOutcomeOf(reports: readonly CloseReport[]): Outcome {
  const outcomes = new Set(reports.map((report) => report.outcome));
  const worst = (['denied', 'failed', 'closed'] as const).find((o) => outcomes.has(o)) ?? 'not_running';
  const status = worst === 'denied' || worst === 'failed' ? 'error' : 'success';
  // The worst first: of hundreds the last ones are left out.
  const ordered = reports.toSorted((a, b) => Number(b.outcome === worst) - Number(a.outcome === worst));
  const { items, leftOut } = fitting(ordered);
  return { status, result: { outcome: worst, processes: items, ...(leftOut > 0 && { left_out: leftOut }) } };
}

/** A command that was accepted and could not be carried out. */
export function failedOutcome(why: Problem): Outcome {
  return { status: 'error', result: { outcome: 'failed', problem: problemBody(why, 'command') } };
}

/** The problem that a refused and remembered command was refused with, from its stored answer. */
export function rememberedRefusal(answer: CommandAnswer): Problem | null {
  const { result } = answer;
  if (typeof result !== 'object' || result === null || !('refused' in result)) return null;
  const { slug, detail } = result.refused as Problem;
  return Object.hasOwn(PROBLEMS, slug) ? { slug, detail } : null;
}

/** Remembers a command that came after its expiry: told once, refused again each time it comes. */
export function recordExpiry(
  store: Pick<Store, 'commands' | 'log' | 'commit'>,
  record: CommandRecord,
  why: Problem,
): void {
  const { command, commandId } = record;
  const refused: Problem = { slug: why.slug, detail: why.detail };
  store.commit(() => {
    store.commands.accept(record);
    store.commands.finish(commandId, {
      status: 'error',
      command: nameOf(command),
      command_id: commandId,
      duplicate: false,
      result: { refused },
    });
    const { child_profile } = command;
    const told = problemBody(why, 'command');
    const data = { command_id: commandId, command: nameOf(command), child_profile, problem: told };
    store.log.append([{ type: 'command_event', event_type: 'command_expired', data }]);
  });
}

/** As whoever gave it calls it. */
function nameOf({ asked_as, command }: Command): string {
  return asked_as ?? command;
}

function outcomeEvent(command: Command, answer: CommandAnswer): CommandEvent {
  return {
    type: 'command_event',
    event_type: answer.status === 'success' ? 'command_completed' : 'command_failed',
    data: {
      command_id: answer.command_id,
      command: answer.command,
      child_profile: command.child_profile,
      result: answer.result,
    },
  };
}
