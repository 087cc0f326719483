/** The desk for commands: who may, what is carried out, what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommandBench, paths, slug, value } from '../helpers/command-bench.ts';

const TWO_CHILDREN = { profiles: { ann: { os_users: ['ann'] }, bob: { os_users: ['bob'] } } };

describe('carrying out', () => {
  it('K1: a command is answered with its name, its id and its result', async () => {
    const bench = new CommandBench();
    const body = { command: 'extend_time', parameters: { minutes: 15 }, command_id: 'c1' };
    expect(value(await bench.control(body))).toEqual({
      status: 'success',
      command: 'extend_time',
      command_id: 'c1',
      duplicate: false,
      result: { done: 'extend_time' },
    });
    expect(bench.told()).toEqual(['command_completed c1']);
  });

  it('K1: the server makes an id where none was given', async () => {
    const bench = new CommandBench();
    const { command_id } = value(await bench.control({ command: 'resume' }));
    expect(command_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('section 7: resume takes the minutes of a pause', async () => {
    const bench = new CommandBench();
    const body = { command: 'resume', command_id: 'c1', parameters: { minutes: 5 } };
    expect(value(await bench.control(body)).status).toBe('success');
    expect(bench.effects).toEqual(['resume {"minutes":5} c1']);
  });

  it('K1: an alias does the same and is echoed', async () => {
    const bench = new CommandBench();
    const body = {
      command: 'force_close_roblox',
      command_id: 'c1',
      parameters: { game: 'roblox', reason: 'bed' },
    };
    expect(value(await bench.control(body))).toMatchObject({
      command: 'force_close_roblox',
      status: 'success',
    });
    expect(bench.effects).toEqual(['close default_child roblox bed']);
  });

  it('K1: a close tells each process', async () => {
    const bench = new CommandBench();
    const { result } = value(await bench.control({ command: 'force_close' }));
    expect(result).toEqual({ outcome: 'closed', processes: bench.reports });
  });

  it('K1: a close with nothing to close succeeds and says so', async () => {
    const bench = new CommandBench();
    bench.reports = [];
    const answer = value(await bench.control({ command: 'force_close' }));
    expect(answer).toMatchObject({ status: 'success', result: { outcome: 'not_running', processes: [] } });
  });

  it('section 5: a close of more processes than a frame holds lists what fits and counts the rest', async () => {
    const bench = new CommandBench();
    const [report] = bench.reports;
    if (report) bench.reports = Array(1_000).fill({ ...report, name: 'ä'.repeat(100) });
    const answer = value(await bench.control({ command: 'force_close' }));
    const { processes, left_out } = answer.result as { processes: unknown[]; left_out: number };
    expect(processes.length + left_out).toBe(1_000);
    expect(processes.length).toBeGreaterThan(100);
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(60_000);
  });

  it.each(['denied', 'failed'] as const)(
    'K1: a close that was %s is an error, never a success',
    async (outcome) => {
      const bench = new CommandBench();
      bench.reports = [...bench.reports, { pid: 6, name: 'player', outcome, waited_ms: 3, error: 'EPERM' }];
      const answer = value(await bench.control({ command: 'force_close', command_id: 'c1' }));
      expect(answer).toMatchObject({ status: 'error', result: { outcome } });
      expect(bench.told()).toEqual(['command_failed c1']);
    },
  );

  it('K1: an executor that throws is an error of the command', async () => {
    const bench = new CommandBench();
    bench.beforeClose = () => Promise.reject(new Error('no pool'));
    const answer = value(await bench.control({ command: 'force_close', command_id: 'c1' }));
    expect(answer).toMatchObject({
      status: 'error',
      result: { outcome: 'failed', problem: { detail: 'no pool' } },
    });
  });

  it('send_notification is a notification event, told once, about a child or about none', async () => {
    const bench = new CommandBench(TWO_CHILDREN);
    const parameters = { title: 'Dinner', message: 'in ten minutes' };
    value(await bench.control({ command: 'send_notification', parameters, command_id: 'c1' }));
    value(
      await bench.control({
        command: 'send_notification',
        parameters,
        command_id: 'c2',
        child_profile: 'ann',
      }),
    );
    value(
      await bench.control({
        command: 'send_notification',
        parameters,
        command_id: 'c2',
        child_profile: 'ann',
      }),
    );
    expect(bench.events('notification').map((e) => e.data)).toEqual([
      { ...parameters, type: 'message' },
      { ...parameters, type: 'message', child_profile: 'ann' },
    ]);
    expect(bench.told()).toEqual(['command_completed c1', 'command_completed c2']);
  });

  it('D5: a command is accepted and on the disk before it is carried out', async () => {
    const bench = new CommandBench();
    let confirmed = () => {};
    bench.durable = () =>
      new Promise((resolve) => {
        confirmed = resolve;
      });
    const answer = bench.control({ command: 'force_close', command_id: 'c1' });
    await Promise.resolve();
    expect(bench.commands.get('c1')).toMatchObject({ answer: null });
    expect(bench.effects).toEqual([]);
    confirmed();
    value(await answer);
    expect(bench.trace).toEqual(['durable', 'close']);
  });

  it('D5: what the disk does not confirm is not carried out', async () => {
    const bench = new CommandBench();
    bench.durable = () => Promise.reject(new Error('EIO'));
    const answer = value(await bench.control({ command: 'force_close', command_id: 'c1' }));
    expect(answer).toMatchObject({ status: 'error' });
    expect(JSON.stringify(answer.result)).toContain('EIO');
    expect(bench.effects).toEqual([]);
  });

  it('a question needs no disk and tells no event', async () => {
    const bench = new CommandBench();
    const { result } = value(await bench.view({ command: 'get_live_status' }));
    expect(result).toMatchObject({ child_profile: 'default_child', playing: false, remaining_minutes: 120 });
    expect(bench.trace).toEqual([]);
    expect(bench.events()).toEqual([]);
    expect(bench.commands.records.size).toBe(0);
  });
});

describe('refusing', () => {
  it.each([
    [null],
    [[]],
    ['force_close'],
    [{}],
    [{ command: 7 }],
    [{ command: 'resume', bogus: 1 }],
    [{ command: 'resume', command_id: '' }],
    [{ command: 'resume', command_id: 'x'.repeat(65) }],
    [{ command: 'resume', command_id: 'n\ud801' }],
    [{ command: 'resume', command_id: '\udc01n' }],
    [{ command: 'send_notification', parameters: { title: 'Dinner \ud83d', message: 'b' } }],
    [{ command: 'send_notification', parameters: { title: 'a', message: '\ude00' } }],
    [{ command: 'send_notification', parameters: { title: 'a', message: 'b', type: '\udc00' } }],
    [{ command: 'force_close', parameters: { reason: 'now\ud83d' } }],
    [{ command: 'resume', expires_at: 'tomorrow' }],
    [{ command: 'resume', expires_at: '2026-01-15T16:00:00' }],
    [{ command: 'resume', parameters: [] }],
    [JSON.parse('{"command":"resume","parameters":{"__proto__":{"minutes":1}}}')],
    [JSON.parse('{"command":"resume","__proto__":{"minutes":1}}')],
    [{ command: 'resume', parameters: { minutes: 0 } }],
    [{ command: 'extend_time', parameters: { minutes: 0 } }],
    [{ command: 'extend_time', parameters: { minutes: 721 } }],
    [{ command: 'extend_time' }],
    [{ command: 'set_time_limit', parameters: { minutes: 'none' } }],
    [{ command: 'send_notification', parameters: { title: 'x'.repeat(201), message: 'y' } }],
    [{ jws: 7 }],
    [{ jws: 'a.b.c', command: 'resume' }],
  ])('K3: %j does not fit its schema', async (body) => {
    const bench = new CommandBench();
    expect(slug(await bench.control(body))).toBe('schema-mismatch');
    expect([bench.effects, bench.events(), bench.commands.records.size]).toEqual([[], [], 0]);
  });

  it('S6: every problem is told at once', async () => {
    const answer = await new CommandBench().control({
      command: 'extend_time',
      command_id: '',
      bogus: 1,
      parameters: { minutes: 'many', hours: 1 },
    });
    expect(paths(answer)).toEqual(['bogus', 'command_id', 'parameters.hours', 'parameters.minutes']);
  });

  it.each(['shutdown', 'constructor', '__proto__', 'FORCE_CLOSE'])(
    'K3: %s is no command',
    async (command) => {
      const bench = new CommandBench();
      expect(slug(await bench.control({ command }))).toBe('command-unknown');
      expect(slug(await bench.view({ command }))).toBe('command-unknown');
    },
  );

  it.each(['nobody', 'constructor', '__proto__'])('K3: %s is no child', async (child_profile) => {
    const bench = new CommandBench();
    expect(slug(await bench.control({ command: 'resume', child_profile }))).toBe('child-unknown');
  });

  it('K3: with several children one has to be named, and they are listed', async () => {
    const bench = new CommandBench(TWO_CHILDREN);
    for (const command of ['force_close', 'get_live_status']) {
      const answer = await bench.control({ command });
      expect(slug(answer)).toBe('child-unknown');
      expect(!answer.ok && answer.problem.detail).toContain('ann, bob');
    }
  });

  it('K3: an unknown game is told at its path', async () => {
    const body = { command: 'force_close', parameters: { game: 'chess' } };
    const answer = await new CommandBench().control(body);
    expect([slug(answer), paths(answer)]).toEqual(['schema-mismatch', ['parameters.game']]);
  });

  it('section 5: the longest lists of games and children that a configuration has fit a frame', async () => {
    const names = Array.from({ length: 256 }, (_, i) => `${i}`.padStart(64, 'n'));
    const bench = new CommandBench({
      games: names.map((id) => ({ id, match: [{ name: id }] })),
      profiles: Object.fromEntries(names.map((name) => [name, { os_users: [name] }])),
      time_limits: Object.fromEntries(names.map((name) => [name.replace('n', 'm'), 60])),
    });
    const [child_profile] = names;
    const noGame = { command: 'force_close', child_profile, parameters: { game: 'chess' } };
    const refused = [await bench.control({ command: 'pause' }), await bench.control(noGame)];
    expect(refused.map(slug)).toEqual(['child-unknown', 'schema-mismatch']);
    for (const answer of refused) expect(JSON.stringify(answer).length).toBeLessThan(60 * 1024);
  });

  it.each([
    'force_close',
    'force_close_roblox',
    'set_time_limit',
    'extend_time',
    'pause',
    'resume',
    'send_notification',
  ])('S5: the view token may not %s, nor learn what else is wrong with it', async (command) => {
    const bench = new CommandBench();
    expect(slug(await bench.view({ command, child_profile: 'nobody', bogus: 1 }))).toBe('control-required');
    expect(bench.effects).toEqual([]);
  });

  it('S6: the 21st command within a second is refused with the time to wait, and one later is taken', async () => {
    const bench = new CommandBench();
    const answers = [];
    for (let i = 0; i < 21; i++) answers.push(slug(await bench.control({ command: 'resume' })));
    expect(answers.filter((s) => s === 'ok')).toHaveLength(20);
    expect(answers[20]).toBe('too-many-commands');
    bench.clock.advance(1_000);
    expect(slug(await bench.control({ command: 'resume' }))).toBe('ok');
  });

  it('S6: a flood of questions does not keep a command out', async () => {
    const bench = new CommandBench();
    for (let i = 0; i < 50; i++) await bench.view({ command: 'get_live_status' });
    expect(slug(await bench.view({ command: 'get_live_status' }))).toBe('too-many-commands');
    expect(slug(await bench.control({ command: 'force_close' }))).toBe('ok');
  });

  it('S6: more commands under way than it holds are refused', async () => {
    const bench = new CommandBench();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    bench.beforeClose = () => gate;
    const answers = [];
    for (let i = 0; i < 70; i++) {
      answers.push(bench.control({ command: 'force_close', command_id: `c${i}` }));
      bench.clock.advance(100);
    }
    release();
    const slugs = (await Promise.all(answers)).map(slug);
    expect(slugs.filter((s) => s === 'ok')).toHaveLength(64);
    expect(slugs.filter((s) => s === 'too-many-commands')).toHaveLength(6);
  });

  it('a desk that stops takes no more', async () => {
    const bench = new CommandBench();
    await bench.desk.stop();
    expect(slug(await bench.control({ command: 'resume' }))).toBe('stopping');
  });

  it('C4: whoever waits for a close that takes its time is answered when the agent stops', async () => {
    const bench = new CommandBench();
    bench.beforeClose = () => new Promise(() => {});
    const answer = bench.control({ command: 'force_close', command_id: 'c1' });
    let said = '';
    void answer.then((a) => {
      said = slug(a);
    });
    await Promise.resolve();
    await bench.desk.stop();
    expect(said).toBe('stopping');
    expect(bench.commands.pending()).toHaveLength(1);
  });
});

describe('what nobody would write', () => {
  const strange = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('force_close', 'pause', '__proto__', { toString: 'x' }, [[{ toString: 'x' }]]),
  );
  const key = fc.constantFrom(
    'command',
    'child_profile',
    'parameters',
    'command_id',
    'expires_at',
    'jws',
    '__proto__',
  );
  const body = fc.oneof(
    strange,
    fc.array(fc.tuple(key, strange)).map((pairs) => Object.fromEntries(pairs)),
  );

  it('S6: is answered by a problem or carried out, and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const bench = new CommandBench();
        bench.clock.advance(1_000);
        const answer = await bench.control(given);
        expect(['ok', 'schema-mismatch', 'command-unknown', 'child-unknown', 'signature-invalid']).toContain(
          slug(answer),
        );
      }),
      { numRuns: 500 },
    );
  });
});
