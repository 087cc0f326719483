/** What the program's own functions may do: a listener that throws, an onGap that takes its time or fails. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Connection } from '../../src/client/core.ts';
import type { PositionStore } from '../../src/client/ports.ts';
import type { Gap, Position } from '../../src/protocol/position.ts';
import { connectTo, on, take, until } from './connect-to.ts';
import { FakeAgent } from './fake-agent.ts';

const GAP: Gap = {
  from: { epoch: 'e0', offset: 5 },
  to: { epoch: 'e1', offset: 0 },
  lost: null,
  reason: 'damage',
};

let agent: FakeAgent;
let connection: Connection;
let saved: (readonly Position[])[];
beforeEach(async () => {
  saved = [];
  agent = new FakeAgent();
  await agent.start();
});
afterEach(async () => {
  await connection.close();
  await agent.stop();
  vi.restoreAllMocks();
});

function storeAt(position: Position): PositionStore {
  return {
    load: async () => [position],
    save: async (positions) => {
      saved.push(positions);
    },
  };
}

/** What is uncaught in a microtask from now on: a test cannot let it be uncaught. */
function uncaught(): unknown[] {
  const errors: unknown[] = [];
  const { queueMicrotask } = globalThis;
  vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((fn) =>
    queueMicrotask(() => {
      try {
        fn();
      } catch (error) {
        errors.push(error);
      }
    }),
  );
  return errors;
}

describe.each(['auto', 'polling'] as const)('transport %s', (transport) => {
  it('a listener of the state that throws stops neither the others nor the events, and is uncaught', async () => {
    const errors = uncaught();
    agent.emit('one');
    connection = await connectTo(agent, { transport });
    const mistake = new Error('the listener');
    connection.onState(() => {
      throw mistake;
    });
    await until(connection, on(transport === 'auto' ? 'websocket' : 'polling'));
    expect(await take(connection, 1)).toEqual(['one']);
    expect(errors).toContain(mistake);
  });

  it('D7: the position behind a gap is not stored before the promise of onGap settles', async () => {
    agent.gap = GAP;
    agent.emit('one');
    let asked = false;
    let told = () => {};
    const onGap = () => {
      asked = true;
      return new Promise<void>((resolve) => {
        told = resolve;
      });
    };
    connection = await connectTo(agent, { transport, store: storeAt(GAP.from), onGap });
    const taken = take(connection, 1);
    await expect.poll(() => asked).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(saved).toEqual([]);
    told();
    expect(await taken).toEqual(['one']);
    expect(saved[0]).toEqual([GAP.from, GAP.to]);
  });

  it.each([
    ['D7: a gap', () => GAP.from],
    ['D7: the gap of a forgotten position', () => ({ epoch: 'e1', offset: 50 })],
  ])('%s that onGap throws at ends the loop with that, and the next loop tells it again', async (_, from) => {
    if (from().epoch === 'e0') agent.gap = GAP;
    agent.emit('one');
    let broken = true;
    const gaps: Gap[] = [];
    const onGap = async (gap: Gap) => {
      gaps.push(gap);
      if (broken) throw new Error('database is locked');
    };
    connection = await connectTo(agent, { transport, store: storeAt(from()), onGap });
    await expect(take(connection, 1)).rejects.toThrow('database is locked');
    expect(saved).toEqual([]);
    broken = false;
    expect(await take(connection, 1)).toEqual(['one']);
    expect(gaps).toHaveLength(2);
    expect(gaps[1]).toEqual(gaps[0]);
    expect(gaps[0]?.from).toEqual(from());
  });
});
