/** Contract section 7, as far as it shows from outside without a game. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { command, ends, notify, postCommand } from './sources.ts';
import { EXTERNAL, useTarget } from './target.ts';

const target = useTarget();
const note = (more: { command_id?: string; expires_at?: string } = {}) => ({
  command: 'send_notification',
  parameters: { title: `note ${randomUUID()}`, message: 'text' },
  ...more,
});
const post = (body: unknown) => postCommand(target, body);
/** Everything after an offset, read without a cursor of its own being moved back. */
const eventsAfter = async (after: { epoch: string; last: number }) =>
  (await target.http(`/desktop/events/poll?epoch=${after.epoch}&after=${after.last}&limit=500`)).json.events;

describe('K1: answers', () => {
  it('K1: success has the command, its id, duplicate false and a result', async () => {
    const command_id = randomUUID();
    const { status, json } = await post(note({ command_id }));
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: 'success',
      command: 'send_notification',
      command_id,
      duplicate: false,
    });
    expect(json).toHaveProperty('result');
  });

  it('K1: the server makes an id when there is none', async () => {
    expect((await command(target, note())).command_id).toMatch(/^.{1,64}$/);
  });

  it('K1: a command that was carried out is told as command_completed', async () => {
    const before = await ends(target);
    const command_id = randomUUID();
    await post(note({ command_id }));
    const events = await eventsAfter(before);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'command_event',
        event_type: 'command_completed',
        data: expect.objectContaining({ command_id, command: 'send_notification' }),
      }),
    );
  });

  it('section 7: get_live_status tells session, game and remaining time', async () => {
    const { json } = await post({ command: 'get_live_status' });
    expect(json.status).toBe('success');
    expect(JSON.stringify(json.result)).toContain('remaining_minutes');
  });

  it('section 7: send_notification is a notification event with its title, message and type', async () => {
    const before = await ends(target);
    const fits = await notify(target, 'supper is ready');
    const event = (await eventsAfter(before)).find(fits);
    expect(event.data).toMatchObject({ message: 'supper is ready', type: 'message' });
  });
});

describe('K2: the same command again', () => {
  it('K2: is answered with the stored result and duplicate true, and not carried out twice', async () => {
    const before = await ends(target);
    const body = note({ command_id: randomUUID() });
    const first = (await post(body)).json;
    const second = (await post(body)).json;
    expect(second).toMatchObject({ status: 'success', duplicate: true, command_id: body.command_id });
    expect(second.result).toEqual(first.result);
    const titles = (await eventsAfter(before)).filter(
      (e: { type: string; data: { title: string } }) =>
        e.type === 'notification' && e.data.title === body.parameters.title,
    );
    expect(titles).toHaveLength(1);
  });

  it('K2: ten at the same moment are one', async () => {
    const before = await ends(target);
    const body = note({ command_id: randomUUID() });
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(body)));
    expect(answers.filter((a) => a.status === 200 && !a.json.duplicate)).toHaveLength(1);
    const made = (await eventsAfter(before)).filter((e: { type: string }) => e.type === 'notification');
    expect(made).toHaveLength(1);
  });

  it('K2: with another body is 422', async () => {
    const command_id = randomUUID();
    await command(target, note({ command_id }));
    const { status, json } = await post(note({ command_id }));
    expect(status).toBe(422);
    expect(json.type).toBe('urn:playwarden:problem:command-id-reused');
  });

  it.skipIf(EXTERNAL).each(['SIGTERM', 'SIGKILL'] as const)(
    'K2: after %s of the agent too',
    async (signal) => {
      const body = note({ command_id: randomUUID() });
      await command(target, body);
      await target.restart(signal);
      expect((await post(body)).json).toMatchObject({ status: 'success', duplicate: true });
    },
  );
});

describe('K3: refusals', () => {
  it('K3: past expires_at is 410, nothing done, told as command_expired', async () => {
    const before = await ends(target);
    const body = note({ command_id: randomUUID(), expires_at: '2020-01-01T00:00:00Z' });
    expect((await post(body)).status).toBe(410);
    const events = await eventsAfter(before);
    expect(events.map((e: { event_type?: string }) => e.event_type)).toContain('command_expired');
    expect(events.filter((e: { type: string }) => e.type === 'notification')).toEqual([]);
  });

  it('K2: a command that was done in time is answered after its expiry', async () => {
    const expires_at = new Date(Date.now() + 2_500).toISOString();
    const body = note({ command_id: randomUUID(), expires_at });
    expect((await post(body)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 2_600));
    expect((await post(body)).json).toMatchObject({ status: 'success', duplicate: true });
  });

  it.each([
    ['an unknown command', { command: 'dance' }],
    ['an unknown child', { command: 'get_live_status', child_profile: 'nobody' }],
    ['no command', { parameters: {} }],
    ['a key nobody knows', { command: 'get_live_status', colour: 'red' }],
    ['a parameter nobody knows', { command: 'pause', parameters: { for: 5 } }],
    ['expires_at without a zone', { command: 'get_live_status', expires_at: '2030-01-01T00:00:00' }],
    ['a command_id of 65 characters', { command: 'get_live_status', command_id: 'x'.repeat(65) }],
    ['extend_time by 0', { command: 'extend_time', parameters: { minutes: 0 } }],
    ['extend_time by 721', { command: 'extend_time', parameters: { minutes: 721 } }],
    ['a negative limit', { command: 'set_time_limit', parameters: { minutes: -1 } }],
    ['a limit that is a word', { command: 'set_time_limit', parameters: { minutes: 'lots' } }],
    [
      'a title of 201',
      { command: 'send_notification', parameters: { title: 'x'.repeat(201), message: 'y' } },
    ],
    [
      'a message of 4001',
      { command: 'send_notification', parameters: { title: 'x', message: 'y'.repeat(4_001) } },
    ],
    [
      'half of an emoji',
      { command: 'send_notification', parameters: { title: 'Dinner \ud83d', message: 'y' } },
    ],
    ['a notification without words', { command: 'send_notification', parameters: {} }],
  ])('K3: %s is 422', async (_what, body) => {
    const { status, json } = await post(body);
    expect(status).toBe(422);
    expect(json.detail).toEqual(expect.any(String));
  });

  it('K5: a signed command without parent keys is refused, not carried out', async () => {
    const { status } = await post({ jws: 'e30.e30.AAAA' });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  });
});

describe.skipIf(EXTERNAL)('section 7: limits', () => {
  const child = async () => (await target.http('/desktop/status')).json.children.default_child;

  it('section 7: set_time_limit holds from now on, over a restart, until "config"', async () => {
    await command(target, { command: 'set_time_limit', parameters: { minutes: 33 } });
    expect(await child()).toMatchObject({ remaining_minutes: expect.closeTo(33, 0), limited_by: 'day' });
    await target.restart('SIGKILL');
    expect((await child()).remaining_minutes).toBeCloseTo(33, 0);
    await command(target, { command: 'set_time_limit', parameters: { minutes: 'config' } });
    expect((await child()).remaining_minutes).toBeNull();
  });

  it('section 7: extend_time adds on top of the limit', async () => {
    await command(target, { command: 'set_time_limit', parameters: { minutes: 30 } });
    await command(target, { command: 'extend_time', parameters: { minutes: 15 } });
    expect((await child()).remaining_minutes).toBeCloseTo(45, 0);
    await command(target, { command: 'set_time_limit', parameters: { minutes: 'config' } });
  });

  it('section 7: pause leaves no time until resume', async () => {
    await command(target, { command: 'pause', parameters: { minutes: 5 } });
    const paused = await child();
    expect(paused).toMatchObject({ remaining_minutes: 0, limited_by: 'pause' });
    expect(paused.paused_until).toMatch(/Z$/);
    await command(target, { command: 'resume' });
    expect((await child()).paused_until).toBeNull();
  });

  it('K1: force_close with nothing running is a success that closed nothing', async () => {
    for (const name of ['force_close', 'force_close_roblox']) {
      expect((await command(target, { command: name })).status).toBe('success');
    }
  });

  it('S6: more than 20 commands in a second are 429 with when to come back', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, () =>
        target.http('/desktop/command', { body: { command: 'get_live_status' } }),
      ),
    );
    const refused = answers.filter((a) => a.status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.json.retry_after_ms).toBeGreaterThan(0);
  });
});
