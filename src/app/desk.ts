/**
 * The agent as the transport sees it (`AgentDesk`): status, health, commands, confirmations and usage, each put
 * together from the part that knows it.
 */
import type { Config } from '../protocol/config.ts';
import type { ScannerStats, SettleResult } from '../protocol/messages.ts';
import type { AgentDesk, Answer, Clock, Store } from '../protocol/ports.ts';
import { problem } from '../protocol/problems.ts';
import { selfTestName } from '../protocol/self-test.ts';
import type { createCommandDesk } from './command-desk.ts';
import type { ActorHealth } from './health.ts';
import { healthReasons } from './health.ts';
import type { Reloads } from './reloads.ts';
import { createResourceMeter } from './resources.ts';
import type { Router } from './router.ts';
import type { SyncDesk } from './sync-desk.ts';
import { VERSION } from './version.ts';

export interface DeskOptions {
  readonly agentId: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly config: () => Config;
  readonly router: Router;
  readonly reloads: Pick<Reloads, 'trouble' | 'status'>;
  readonly sync: SyncDesk;
  readonly commands: ReturnType<typeof createCommandDesk>;
  readonly actors: () => Readonly<Record<'scanner' | 'session' | 'executor', ActorHealth>>;
  /** Charges up to now and says how the children stand. */
  readonly settle: () => Promise<Answer<SettleResult>>;
  readonly scannerStats: () => Promise<ScannerStats | null>;
  /** What the process costs too much, one sentence each. */
  readonly load: () => readonly string[];
}

export function createDesk(options: DeskOptions): AgentDesk {
  const { store, clock, router } = options;
  const startedAt = clock.monotonic();
  const resources = createResourceMeter(() => clock.monotonic());

  function reasons(): string[] {
    return healthReasons({
      actors: options.actors(),
      store: store.health(),
      detection: router.detection().trouble,
      configuration: options.reloads.trouble(),
      load: options.load(),
      nowMs: clock.monotonic(),
    });
  }

  return {
    agentId: options.agentId,
    version: VERSION,
    health() {
      const found = reasons();
      return { status: found.length === 0 ? 'healthy' : 'degraded', reasons: found };
    },
    async status() {
      const [settled, detection] = await Promise.all([options.settle(), options.scannerStats()]);
      const { ok, unsynced, waiting, reason } = store.health();
      return {
        agent: {
          version: VERSION,
          uptime_seconds: Math.round((clock.monotonic() - startedAt) / 100) / 10,
          source: router.detection().source,
          health: reasons(),
          configuration: options.reloads.status(),
          actors: options.actors(),
          detection,
          store: { ok, unsynced, waiting, ...(reason !== null && { reason }) },
          resources: resources(),
          self_test: selfTestName(options.agentId),
          rejected_signatures: options.commands.rejected(),
        },
        children: settled.ok ? settled.value.children : {},
      };
    },
    command: (body, role) => options.commands.command(body, role),
    confirm: (body) => options.sync.confirm(body),
    async usage({ child, from, to }) {
      const known = Object.keys(options.config().profiles);
      if (child !== undefined && !known.includes(child)) {
        const errors = [{ path: 'child', message: `must be one of ${known.join(', ')}` }];
        return { ok: false, problem: problem('child-unknown', `No child is called "${child}".`, { errors }) };
      }
      const settled = await options.settle();
      if (!settled.ok) return settled;
      const { dayRange, usageDays } = await import('./usage.ts');
      const range = dayRange(from, to, settled.value.today);
      if ('slug' in range) return { ok: false, problem: range };
      const { usage, sessions } = store.ledger.history(child ?? null, range.from, range.to);
      return {
        ok: true,
        value: {
          time_zone: settled.value.timeZone,
          days: usageDays(range, child ? [child] : known, usage, sessions),
        },
      };
    },
  };
}
