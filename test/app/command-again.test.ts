/** Commands that come twice, late, or to an agent that ended in between: what stands when. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommandRecord } from '../../src/protocol/ports.ts';
import { problem } from '../../src/protocol/problems.ts';
import { actorDown, CommandBench, inMs, settled, slug, value } from '../helpers/command-bench.ts';

const TWO_CHILDREN = { profiles: { ann: { os_users: ['ann'] }, bob: { os_users: ['bob'] } } };

describe('the same command again', () => {
  const body = { command: 'extend_time', parameters: { minutes: 15 }, command_id: 'c1' };

  it('K2: is answered with the stored result and not carried out', async () => {
    const bench = new CommandBench();
    const first = value(await bench.control(body));
    expect(value(await bench.control(body))).toEqual({ ...first, duplicate: true });
    bench.restart();
    expect(value(await bench.control(body))).toEqual({ ...first, duplicate: true });
    expect(bench.effects).toHaveLength(1);
    expect(bench.told()).toHaveLength(1);
  });

  it('K2: the order of its keys does not matter', async () => {
    const bench = new CommandBench();
    await bench.control({
      command: 'set_time_limit',
      parameters: { minutes: 60, game: 'roblox' },
      command_id: 'c1',
    });
    const again = {
      command_id: 'c1',
      parameters: { game: 'roblox', minutes: 60 },
      command: 'set_time_limit',
    };
    expect(value(await bench.control(again)).duplicate).toBe(true);
  });

  it.each([
    ['other minutes', { parameters: { minutes: 30 } }],
    ['another command', { command: 'pause' }],
    ['a child', { child_profile: 'default_child' }],
  ])('K2: the same id with %s is refused', async (_what, over) => {
    const bench = new CommandBench();
    await bench.control(body);
    expect(slug(await bench.control({ ...body, ...over }))).toBe('command-id-reused');
    expect(bench.effects).toHaveLength(1);
  });

  it('K2: gives the stored result whatever its expiry', async () => {
    const bench = new CommandBench();
    const expiring = { ...body, expires_at: inMs(bench, 1_000) };
    await bench.control(expiring);
    bench.clock.advance(60_000);
    expect(value(await bench.control(expiring))).toMatchObject({ status: 'success', duplicate: true });
  });

  it('K2: gives the stored result though the child has left the configuration', async () => {
    const bench = new CommandBench(TWO_CHILDREN);
    const named = { ...body, child_profile: 'ann' };
    await bench.control(named);
    bench.configure({ profiles: { bob: {} } });
    expect(value(await bench.control(named)).duplicate).toBe(true);
  });

  it('K2: while the first is under way it waits for that one', async () => {
    const bench = new CommandBench();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    bench.beforeClose = () => gate;
    const close = { command: 'force_close', command_id: 'c1' };
    const both = [bench.control(close), bench.control(close)];
    expect(slug(await bench.control({ ...close, parameters: { reason: 'bed' } }))).toBe('command-id-reused');
    release();
    const [first, second] = (await Promise.all(both)).map(value);
    expect([first?.duplicate, second?.duplicate]).toEqual([false, true]);
    expect(second).toEqual({ ...first, duplicate: true });
    expect(bench.effects).toHaveLength(1);
  });

  it('K2: a question with an id is answered as it was', async () => {
    const bench = new CommandBench();
    const ask = { command: 'get_live_status', command_id: 'q1' };
    const first = value(await bench.view(ask));
    expect(value(await bench.view(ask))).toEqual({ ...first, duplicate: true });
  });

  it('K2: repetitions do not count for the limit of commands a second', async () => {
    const bench = new CommandBench();
    for (let i = 0; i < 100; i++) expect(slug(await bench.control(body))).toBe('ok');
  });
});

describe('a command that comes late', () => {
  it('K3: is refused, told once, and does nothing', async () => {
    const bench = new CommandBench();
    const late = { command: 'force_close', command_id: 'c1', expires_at: inMs(bench, -1) };
    for (let i = 0; i < 3; i++) expect(slug(await bench.control(late))).toBe('command-expired');
    bench.restart();
    expect(slug(await bench.control(late))).toBe('command-expired');
    expect(bench.effects).toEqual([]);
    expect(bench.told()).toEqual(['command_expired c1']);
  });

  it('K3: at its very moment it is late, before it it is not', async () => {
    const bench = new CommandBench();
    expect(slug(await bench.control({ command: 'resume', expires_at: inMs(bench, 0) }))).toBe(
      'command-expired',
    );
    expect(slug(await bench.control({ command: 'resume', expires_at: inMs(bench, 1) }))).toBe('ok');
  });

  it('K3: its zone counts', async () => {
    const bench = new CommandBench();
    const expires_at = new Date(bench.clock.wall() + 5 * 3_600_000 + 60_000)
      .toISOString()
      .replace('Z', '+05:00');
    expect(slug(await bench.control({ command: 'resume', expires_at }))).toBe('ok');
  });
});

describe('an agent that ended in between', () => {
  const pending = (bench: CommandBench, command: CommandRecord['command'], ageMs = 1_000): void =>
    bench.commands.accept({
      commandId: command.command_id,
      bodyHash: 'h',
      command,
      acceptedMs: bench.clock.wall() - ageMs,
      answer: null,
    });
  const extend = {
    command: 'extend_time',
    command_id: 'c1',
    child_profile: 'default_child',
    parameters: { minutes: 5 },
  } as const;
  const close = {
    command: 'force_close',
    command_id: 'c2',
    child_profile: 'default_child',
    parameters: {},
  } as const;

  it('K2: what was accepted is carried out after the start, in its order, and told', async () => {
    const bench = new CommandBench();
    pending(bench, extend);
    pending(bench, close);
    await bench.desk.resumePending();
    expect(bench.effects).toHaveLength(2);
    expect(bench.told()).toEqual(['command_completed c1', 'command_completed c2']);
    await bench.desk.resumePending();
    expect(bench.effects).toHaveLength(2);
  });

  it('K2: one that comes again while another is taken up is done once, and in its turn', async () => {
    const bench = new CommandBench();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    bench.beforeSession = async ({ command_id }) => {
      if (command_id === 'c1') await gate;
      return null;
    };
    pending(bench, extend);
    const pause = { ...extend, command: 'pause', command_id: 'c3', parameters: {} } as const;
    bench.commands.accept({ ...bench.commands.records.get('c1')!, commandId: 'c3', command: pause });
    const resumed = bench.desk.resumePending();
    const stored = bench.commands.records.get('c3')!;
    const { bodyHash } = stored;
    expect(bodyHash).toBe('h');
    // The parent takes it back before it was done.
    const back = bench.control({ command: 'resume', command_id: 'c4' });
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await Promise.all([resumed, back]);
    expect(bench.effects.map((effect) => effect.split(' ')[0])).toEqual(['extend_time', 'pause', 'resume']);
  });

  it('K2: a close that takes its time holds up nothing that was accepted beside it', async () => {
    const bench = new CommandBench();
    bench.beforeClose = () => new Promise(() => {});
    pending(bench, close);
    pending(bench, extend);
    void bench.desk.resumePending();
    await expect.poll(() => bench.told()).toEqual(['command_completed c1']);
  });

  it('K2: what was accepted long ago is reported, not carried out', async () => {
    const bench = new CommandBench();
    pending(bench, extend, 3_600_000);
    await bench.desk.resumePending();
    expect(bench.effects).toEqual([]);
    expect(bench.told()).toEqual(['command_failed c1']);
  });

  it('K3: what expired while the agent was down is reported, not carried out', async () => {
    const bench = new CommandBench();
    pending(bench, { ...close, expires_at: inMs(bench, -1) });
    pending(bench, { ...extend, expires_at: inMs(bench, 60_000) });
    await bench.desk.resumePending();
    expect(bench.effects.map((effect) => effect.split(' ')[0])).toEqual(['extend_time']);
    expect(bench.told()).toEqual(['command_failed c2', 'command_completed c1']);
  });

  it('K2: one that waits for the session actor when the agent stops is left for the next start', async () => {
    const bench = new CommandBench();
    bench.beforeSession = async () => actorDown;
    const answer = bench.control({ command: 'pause', command_id: 'c1' });
    await Promise.resolve();
    bench.desk.stop();
    expect(slug(await settled(bench, answer))).toBe('stopping');
    bench.beforeSession = async () => null;
    bench.restart();
    await bench.desk.resumePending();
    expect(bench.effects).toHaveLength(1);
    expect(bench.told()).toEqual(['command_completed c1']);
  });

  it('K1: what is finished after the restart is told and answered under the name it came under', async () => {
    const bench = new CommandBench();
    const body = { command: 'force_close_roblox', command_id: 'c1' };
    bench.reports = [{ pid: 5, name: 'player', outcome: 'failed', waited_ms: 1 }];
    bench.beforeClose = async () => bench.desk.stop();
    expect(slug(await bench.control(body))).toBe('stopping');
    bench.beforeClose = async () => {};
    bench.restart();
    await bench.desk.resumePending();
    expect(value(await bench.control(body))).toMatchObject({ command: body.command, duplicate: true });
    expect(bench.events('command_event')).toMatchObject([{ data: { command: body.command } }]);
  });

  it('K1: so is what comes too late after it, and what an older version accepted under its own name', async () => {
    const bench = new CommandBench();
    pending(bench, { ...close, asked_as: 'force_close_roblox' }, 3_600_000);
    pending(bench, { ...close, command_id: 'c3' });
    await bench.desk.resumePending();
    const names = ['c2', 'c3'].map((id) => bench.commands.records.get(id)?.answer?.command);
    expect(names).toEqual(['force_close_roblox', 'force_close']);
  });

  it('K2: a close that the stop of the agent cut short is left for the next start', async () => {
    const bench = new CommandBench();
    bench.reports = [{ pid: 5, name: 'player', outcome: 'failed', waited_ms: 1 }];
    bench.beforeClose = async () => bench.desk.stop();
    expect(slug(await bench.control({ command: 'force_close', command_id: 'c1' }))).toBe('stopping');
    bench.beforeClose = async () => {};
    bench.reports = [];
    bench.restart();
    await bench.desk.resumePending();
    expect(bench.told()).toEqual(['command_completed c1']);
  });

  it('T7: a command waits for a session actor that restarts, and is done once', async () => {
    const bench = new CommandBench();
    let failures = 5;
    bench.beforeSession = async () => (failures-- > 0 ? actorDown : null);
    const answer = await settled(bench, bench.control({ command: 'pause', command_id: 'c1' }));
    expect(value(answer).status).toBe('success');
    expect(bench.effects).toHaveLength(1);
  });

  it('T7: it is an error when the session actor does not come back, and stays one', async () => {
    const bench = new CommandBench();
    bench.beforeSession = async () => actorDown;
    const body = { command: 'pause', command_id: 'c1' };
    expect(value(await settled(bench, bench.control(body))).status).toBe('error');
    bench.beforeSession = async () => null;
    expect(value(await bench.control(body))).toMatchObject({ status: 'error', duplicate: true });
    expect(bench.effects).toEqual([]);
    expect(bench.told()).toEqual(['command_failed c1']);
  });

  it('K1: what the session actor refuses is an error with its problem', async () => {
    const bench = new CommandBench();
    bench.beforeSession = async () => ({ ok: false, problem: problem('internal', 'no such game') });
    const answer = value(await bench.control({ command: 'resume' }));
    expect(answer).toMatchObject({ status: 'error', result: { problem: { detail: 'no such game' } } });
  });

  it('K2: an effect that was committed while its answer was lost is not done again', async () => {
    const bench = new CommandBench();
    const body = { command: 'pause', command_id: 'c1' };
    value(await bench.control(body));
    bench.beforeSession = async () => actorDown;
    expect(value(await bench.control(body)).duplicate).toBe(true);
    expect(bench.effects).toHaveLength(1);
  });
});

describe('an effect whose record the disk refused', () => {
  it('K2: is asked for again with the same id, which the session actor knows', async () => {
    const bench = new CommandBench();
    const body = { command: 'pause', command_id: 'c1' };
    const seen: string[] = [];
    bench.beforeSession = async ({ command_id }) => {
      seen.push(command_id);
      return { ok: true, value: { done: 'pause' } };
    };
    bench.commands.refuse = true;
    expect(slug(await bench.control(body))).toBe('unavailable');
    bench.commands.refuse = false;
    expect(value(await bench.control(body))).toMatchObject({ status: 'success', duplicate: true });
    expect(seen).toEqual(['c1', 'c1']);
  });

  it('T7: a late answer of the session actor is waited for, not called a failure', async () => {
    const bench = new CommandBench();
    let calls = 0;
    bench.beforeSession = async () => {
      calls += 1;
      if (calls > 1) return null;
      await new Promise<void>((resolve) => bench.clock.after(5_000, resolve));
      return actorDown;
    };
    const answer = await settled(bench, bench.control({ command: 'pause', command_id: 'c1' }));
    expect(value(answer).status).toBe('success');
  });
});

describe('replays', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('send' as const), id: fc.integer({ min: 0, max: 4 }), wait: fc.boolean() }),
    fc.record({ do: fc.constant('restart' as const) }),
    fc.record({ do: fc.constant('die' as const), id: fc.integer({ min: 0, max: 4 }) }),
  );
  const bodies = [
    { command: 'extend_time', parameters: { minutes: 15 } },
    { command: 'pause', parameters: { minutes: 30 } },
    { command: 'resume' },
    { command: 'set_time_limit', parameters: { minutes: 60 } },
    { command: 'send_notification', parameters: { title: 't', message: 'm' } },
  ].map((body, i) => ({ ...body, command_id: `c${i}` }));

  it('K2: 500 replays, reorderings and deaths leave exactly one effect of each command', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const bench = new CommandBench();
        const sent = new Set<number>();
        const open: Promise<unknown>[] = [];
        for (const s of steps) {
          bench.clock.advance(60);
          if (s.do === 'restart') {
            await Promise.all(open.splice(0));
            bench.restart();
            await bench.desk.resumePending();
            continue;
          }
          sent.add(s.id);
          if (s.do === 'die') {
            // Accepted and on the disk; the agent ends before anything else.
            bench.durable = () => new Promise(() => {});
            void bench.control(bodies[s.id]);
            await Promise.resolve();
            bench.durable = async () => {};
            await Promise.all(open.splice(0));
            bench.restart();
            if (s.id % 2) await bench.desk.resumePending();
            continue;
          }
          const answer = bench.control(bodies[s.id]);
          if (s.wait) expect(slug(await answer)).toBe('ok');
          else open.push(answer);
        }
        await Promise.all(open);
        await bench.desk.resumePending();
        const done = [
          ...bench.effects.map((effect) => effect.slice(-2)),
          ...bench.events('notification').map(() => 'c4'),
        ];
        expect(done.sort()).toEqual([...sent].map((i) => `c${i}`).sort());
        expect(bench.told().sort()).toEqual([...sent].map((i) => `command_completed c${i}`).sort());
      }),
      { numRuns: 500 },
    );
  });
});
