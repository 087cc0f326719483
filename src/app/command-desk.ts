/**
 * The desk for commands (contract section 7): who may give one, whether it came before, whether it came too late,
 * and then accept, make durable, carry out, answer, tell. What a body means stands in command-request.ts, what a
 * command does in command-effects.ts, what is kept of it in command-outcome.ts.
 */
import { randomUUID } from 'node:crypto';
import { type CommandAnswer, READ_ONLY_COMMANDS, signedCommand } from '../protocol/commands.ts';
import type { Config } from '../protocol/config.ts';
import { HTTP_LIMITS } from '../protocol/http.ts';
import type { Answer, CommandRecord, Role } from '../protocol/ports.ts';
import { type Problem, type ProblemSlug, problem } from '../protocol/problems.ts';
import { rateWindow } from '../protocol/rate-window.ts';
import { fieldErrors } from '../protocol/schema-errors.ts';
import { createCommandEffects, type EffectPorts } from './command-effects.ts';
import {
  failedOutcome,
  type Outcome,
  recordExpiry,
  recordOutcome,
  rememberedRefusal,
} from './command-outcome.ts';
import { type CommandRequest, changesSomething, readRequest, resolveCommand } from './command-request.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { verifiedLately } from './verified-lately.ts';

/** More commands than that under way at once are refused with 429. */
const MAX_RUNNING = 64;
/**
 * Signatures that wait to be verified. One at a time, so that a flood of forged ones takes one thread of the pool
 * and not the one that an fsync needs; each in its turn, so that no number of wrong ones locks a right one out.
 */
const MAX_VERIFYING = 1_024;
/** Answers to questions that one run keeps for a repetition: whoever may only look could fill the disk with more. */
const MAX_LOOKS_KEPT = 1_000;
/** A command that the agent did not finish before it ended is done after the restart only this soon, ms. */
const RESUME_WITHIN_MS = 10 * 60_000;

export interface CommandDeskOptions extends EffectPorts {
  readonly agentId: string;
  readonly config: () => Config;
  /** The latest trusted time ever seen, ms. */
  readonly highestTrustedMs: () => number;
}

export interface CommandDesk {
  command(body: unknown, role: Role): Promise<Answer<CommandAnswer>>;
  /** Carries out or reports what was accepted and not answered when the agent last ended. */
  resumePending(): Promise<void>;
  /** How many commands were refused for their signature, by problem. */
  rejected(): Readonly<Record<string, number>>;
  /** Takes no more, and answers whoever waits: what is under way is left for the next start. Settles when that is said. */
  stop(): Promise<void>;
}

interface Running {
  readonly bodyHash: string;
  readonly answer: Promise<Answer<CommandAnswer>>;
}

export function createCommandDesk(options: CommandDeskOptions): CommandDesk {
  const { store, clock, session } = options;
  const running = new Map<string, Running>();
  const rejections = new Map<ProblemSlug, number>();
  // Apart, so that a flood of questions cannot keep a parent's command out.
  const looks = rateWindow(HTTP_LIMITS.commandsPerSecond, 1_000);
  const changes = rateWindow(HTTP_LIMITS.commandsPerSecond, 1_000);
  const inTurn = oneAtATime(MAX_VERIFYING);
  const verifiedBefore = verifiedLately();
  /** Settles when what the last run left has been carried out, but for its closes; null: it has. */
  let resuming: Promise<void> | null = null;
  /** Ids of questions whose answers are kept, oldest first. */
  const looksKept: string[] = [];
  let stopping = false;
  let interrupt: (answer: Answer<CommandAnswer>) => void = () => {};
  const interrupted = new Promise<Answer<CommandAnswer>>((resolve) => {
    interrupt = resolve;
  });
  const effects = createCommandEffects(options, () => stopping);

  async function command(body: unknown, role: Role): Promise<Answer<CommandAnswer>> {
    if (stopping) return refuse('stopping', 'The agent is stopping.');
    if (hasOwn(body, 'jws')) return signed(body);
    const { parent_keys } = options.config().security;
    if (changesSomething(body)) {
      if (parent_keys.length > 0) {
        return reject(problem('signature-required', 'Parent keys are enrolled: send {"jws": …} instead.'));
      }
      if (role !== 'control') {
        return refuse('control-required', 'A command that changes something needs the control token.');
      }
    }
    const request = readRequest(body);
    return request.ok ? take(request.value, null) : request;
  }

  async function signed(body: unknown): Promise<Answer<CommandAnswer>> {
    const parsed = signedCommand.safeParse(body);
    if (!parsed.success) {
      const errors = fieldErrors(parsed.error.issues);
      return refuse('schema-mismatch', 'A signed command is {"jws": "…"} and nothing else.', { errors });
    }
    const { verifySigned } = await import('./signed-commands.ts');
    const verifying = inTurn(() =>
      verifySigned(parsed.data.jws, {
        keys: options.config().security.parent_keys,
        agentId: options.agentId,
        nowMs: clock.wall(),
        highestTrustedMs: options.highestTrustedMs(),
        verifiedBefore,
      }),
    );
    if (!verifying) {
      const detail = `${MAX_VERIFYING} signed commands wait to be verified already.`;
      return refuse('too-many-commands', detail, { retryAfterMs: 1_000 });
    }
    const verified = await verifying;
    if (stopping) return refuse('stopping', 'The agent is stopping.');
    if (!verified.ok) return reject(verified.problem);
    const request = readRequest(verified.value.envelope);
    return request.ok ? take(request.value, verified.value.expired) : request;
  }

  /** From here to the acceptance nothing is awaited: two commands with one id cannot both be new. */
  function take(request: CommandRequest, late: Problem | null): Promise<Answer<CommandAnswer>> {
    const repeated = request.commandId === null ? null : repetition(request.commandId, request.bodyHash);
    if (repeated) return repeated;
    const commandId = request.commandId ?? randomUUID();
    const resolved = resolveCommand(request, commandId, options.config());
    if (!resolved.ok) return Promise.resolve(resolved);
    const looksOnly = READ_ONLY_COMMANDS.has(request.name);
    const busy = tooMany((looksOnly ? looks : changes)(clock.monotonic()));
    if (busy) return Promise.resolve({ ok: false, problem: busy });

    const { bodyHash } = request;
    const acceptedMs = clock.wall();
    const record: CommandRecord = { commandId, bodyHash, command: resolved.value, acceptedMs, answer: null };
    const expired = late ?? lapsed(request, acceptedMs);
    if (expired) {
      if (late) count(late);
      // A question tells nobody anything: whoever may only look could fill the log with late ones.
      return looksOnly ? Promise.resolve({ ok: false, problem: expired }) : expire(record, expired);
    }
    const keep = request.commandId !== null;
    return run(record, () => (looksOnly ? look(record, keep) : change(record, true)));
  }

  /** The answer to an id that was seen before (contract K2); null: it is new. */
  function repetition(commandId: string, bodyHash: string): Promise<Answer<CommandAnswer>> | null {
    const record = store.commands.get(commandId);
    const current = running.get(commandId);
    const seen = current ?? record;
    if (!seen) return null;
    if (seen.bodyHash !== bodyHash) {
      const detail = 'This command_id was used for another command; take a new one.';
      return Promise.resolve(refuse('command-id-reused', detail));
    }
    if (current) return current.answer.then(asDuplicate);
    if (!record) return null;
    if (record.answer) return Promise.resolve(storedAnswer(record.answer));
    // Its turn comes among those that the last run left.
    if (resuming) return resuming.then(() => repetition(commandId, bodyHash) ?? LOST);
    return run(record, () => change(record, false)).then(asDuplicate);
  }

  function run(
    { commandId, bodyHash }: CommandRecord,
    work: () => Promise<Answer<CommandAnswer>>,
  ): Promise<Answer<CommandAnswer>> {
    const answer = Promise.race([work(), interrupted]).finally(() => running.delete(commandId));
    running.set(commandId, { bodyHash, answer });
    return answer;
  }

  async function look(record: CommandRecord, keep: boolean): Promise<Answer<CommandAnswer>> {
    const { commandId, command } = record;
    const settled = await session.settle();
    if (!settled.ok) return settled;
    const status = settled.value.children[command.child_profile ?? ''];
    if (!status) return refuse('unavailable', 'The child was just configured; ask again.');
    const result = { child_profile: command.child_profile, ...status };
    const answer = {
      status: 'success',
      command: command.command,
      command_id: commandId,
      duplicate: false,
      result,
    } as const;
    return attempt(() => {
      if (keep) keepLook(record, answer);
      return answer;
    });
  }

  function keepLook(record: CommandRecord, answer: CommandAnswer): void {
    const { commandId } = record;
    store.commit(() => {
      store.commands.accept(record);
      store.commands.finish(commandId, answer);
      const oldest = looksKept.length < MAX_LOOKS_KEPT ? undefined : looksKept.shift();
      if (oldest !== undefined) store.commands.forget(oldest);
    });
    looksKept.push(commandId);
  }

  async function change(record: CommandRecord, isNew: boolean): Promise<Answer<CommandAnswer>> {
    const { commandId, command } = record;
    const finish = (outcome: Outcome) =>
      attempt(() => recordOutcome(store, commandId, outcome) ?? lost(commandId));
    try {
      if (isNew) store.commit(() => store.commands.accept(record));
    } catch (error) {
      return refuse('unavailable', `The command could not be stored and was not carried out: ${said(error)}`);
    }
    try {
      await store.durable();
    } catch (error) {
      const why = `The disk did not confirm the command, so it was not carried out: ${said(error)}`;
      return finish(failedOutcome(problem('unavailable', why)));
    }
    if (isNew && resuming && command.command !== 'force_close') await resuming;
    const outcome = await effects(command).catch((error) => failedOutcome(problem('internal', said(error))));
    return outcome ? finish(outcome) : LEFT;
  }

  function expire(record: CommandRecord, why: Problem): Promise<Answer<CommandAnswer>> {
    try {
      recordExpiry(store, record, why);
    } catch (error) {
      return Promise.resolve(refuse('unavailable', said(error)));
    }
    return Promise.resolve({ ok: false, problem: why });
  }

  function tooMany(waitMs: number): Problem | null {
    if (waitMs === 0 && running.size < MAX_RUNNING) return null;
    const detail = `At most ${HTTP_LIMITS.commandsPerSecond} commands a second are taken.`;
    return problem('too-many-commands', detail, { retryAfterMs: Math.max(waitMs, 50) });
  }

  function reject(why: Problem): Answer<CommandAnswer> {
    count(why);
    return { ok: false, problem: why };
  }

  function count({ slug }: Problem): void {
    rejections.set(slug, (rejections.get(slug) ?? 0) + 1);
  }

  /** What the last run left: what is too late fails at once, closes go on beside the rest, the rest in its order. */
  async function resumePending(): Promise<void> {
    const pending = store.commands.pending();
    for (const record of pending) if (isTooLate(record)) failLate(record);
    const closes = pending.filter(({ command }) => command.command === 'force_close').map(resume);
    const inOrder = async () => {
      // A pause and the resume that followed it must not change places, nor either with what comes now.
      for (const record of pending) if (record.command.command !== 'force_close') await resume(record);
    };
    const line = inOrder().finally(() => {
      resuming = null;
    });
    resuming = line.catch(() => {});
    await Promise.all([line, ...closes]);
  }

  function isTooLate({ acceptedMs, command: { expires_at } }: CommandRecord): boolean {
    const now = clock.wall();
    return now - acceptedMs > RESUME_WITHIN_MS || (expires_at !== undefined && Date.parse(expires_at) <= now);
  }

  function failLate({ commandId, acceptedMs }: CommandRecord): void {
    const minutes = Math.round((clock.wall() - acceptedMs) / 60_000);
    const why = `The agent ended before it could carry this out, and came back ${minutes} min later.`;
    attempt(() => recordOutcome(store, commandId, failedOutcome(problem('command-expired', why))));
  }

  /** Unless it was answered meanwhile, or the agent stops again. */
  async function resume({ commandId }: CommandRecord): Promise<void> {
    const record = store.commands.get(commandId);
    if (!record || record.answer || stopping) return;
    await (running.get(commandId)?.answer ?? run(record, () => change(record, false)));
  }

  return {
    command,
    resumePending,
    rejected: () => Object.fromEntries(rejections),
    async stop() {
      stopping = true;
      interrupt(LEFT);
      await Promise.allSettled([...running.values()].map(({ answer }) => answer));
      // Those who wait for these answers are told after it.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const LOST = refuse('unavailable', 'The command is not in the store any more.');
const LEFT = refuse('stopping', 'The agent is stopping; the command is finished after its start.', {
  retryAfterMs: 1_000,
});

function lapsed({ expiresMs }: CommandRequest, nowMs: number): Problem | null {
  if (expiresMs === null || expiresMs > nowMs) return null;
  return problem('command-expired', 'The command came after its expires_at; nothing was done.');
}

function storedAnswer(stored: CommandAnswer): Answer<CommandAnswer> {
  const refused = rememberedRefusal(stored);
  return refused ? { ok: false, problem: refused } : asDuplicate({ ok: true, value: stored });
}

function asDuplicate(answer: Answer<CommandAnswer>): Answer<CommandAnswer> {
  return answer.ok ? { ok: true, value: { ...answer.value, duplicate: true } } : answer;
}

function attempt<T>(work: () => T): Answer<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    return { ok: false, problem: problem('unavailable', `The result could not be stored: ${said(error)}`) };
  }
}

function refuse(
  slug: ProblemSlug,
  detail: string,
  more: Parameters<typeof problem>[2] = {},
): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: problem(slug, detail, more) };
}

function lost(commandId: string): never {
  throw new Error(`the command ${commandId} is not in the store any more`);
}

function hasOwn(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
