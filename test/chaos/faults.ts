/**
 * The faults inside a thread of the agent under chaos, ordered over a BroadcastChannel. Imported before the product's own
 * worker, which knows nothing of it: the product has no switch for any of this.
 */
import { BroadcastChannel } from 'node:worker_threads';

export const CHANNEL = 'chaos';

/** `hang`: it runs for ever. `stall`: the session's ticks, which go through setImmediate, come no more; its heartbeat and its messages go on. `fatten`: it keeps 300 MB more. */
export type ThreadFault = 'crash' | 'hang' | 'starve' | 'stall' | 'fatten';

export interface FaultOrder {
  readonly actor: 'scanner' | 'session' | 'executor' | 'main';
  readonly fault: ThreadFault;
}

/** What a thread says right before it does as it was told: an order that nobody heard is no fault. */
export interface Committed {
  readonly committed: FaultOrder;
}

/** This thread obeys orders for `actor` from now on, whenever it `may`. */
export function obeyFaults(actor: FaultOrder['actor'], may = () => true): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (event) => {
    const order = (event as { readonly data: FaultOrder | Committed }).data;
    if ('committed' in order || order.actor !== actor || !may()) return;
    channel.postMessage({ committed: order } satisfies Committed);
    commit(order.fault);
  };
  channel.unref();
}

const FAT_BYTES = 300 * 2 ** 20;
const fat: Buffer[] = [];

/** Does it in this thread, now. */
export function commit(fault: ThreadFault): void {
  switch (fault) {
    case 'crash':
      // Not from within: what a listener of this channel throws is swallowed.
      queueMicrotask(() => {
        throw new Error('chaos: a crash was ordered');
      });
      return;
    case 'hang':
      for (;;);
    case 'starve': {
      const eaten: unknown[] = [];
      for (;;) eaten.push(new Array(10_000).fill(eaten.length));
    }
    case 'fatten':
      // Written to, since memory that nobody touched is not there.
      fat.push(Buffer.alloc(FAT_BYTES, 1));
      return;
    case 'stall':
      globalThis.setImmediate = (() => ({})) as unknown as typeof setImmediate;
  }
}
