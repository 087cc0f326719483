/**
 * The faults inside a thread of the agent under chaos, ordered over a BroadcastChannel. Imported before the product's own
 * worker, which knows nothing of it: the product has no switch for any of this.
 */
import { BroadcastChannel } from 'node:worker_threads';

export const CHANNEL = 'chaos';

/** `stall`: the session's ticks, which go through setImmediate, come no more; its heartbeat and its messages go on. */
export type ThreadFault = 'crash' | 'hang' | 'starve' | 'stall';

export interface FaultOrder {
  readonly actor: string;
  readonly fault: ThreadFault;
}

/** This thread obeys orders for `actor` from now on. */
export function obeyFaults(actor: string): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.unref();
  channel.onmessage = (event) => {
    const order = (event as { readonly data: FaultOrder }).data;
    if (order.actor === actor) commit(order.fault);
  };
}

function commit(fault: ThreadFault): void {
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
    case 'stall':
      globalThis.setImmediate = (() => ({})) as unknown as typeof setImmediate;
  }
}
