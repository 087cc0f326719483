/** How the cases make events happen, and how they bring a client to now: over the public routes only. */
import { randomUUID } from 'node:crypto';
import type { HttpResponse } from '../helpers/http.ts';
import type { Frame } from '../helpers/ws-client.ts';
import type { Target } from './target.ts';

/** An agent remembers eight clients at most (H1): the whole suite makes do with these. */
export const CLIENTS = { a: 'conformance-a', b: 'conformance-b', c: 'conformance-c' } as const;

/** Posts a command and waits out the limit of 20 a second (S6). */
export async function postCommand(target: Target, body: unknown): Promise<HttpResponse> {
  for (;;) {
    const answer = await target.http('/desktop/command', { body });
    if (answer.status !== 429) return answer;
    await new Promise((resolve) => setTimeout(resolve, answer.json.retry_after_ms ?? 200));
  }
}

export async function command(target: Target, body: object): Promise<Frame> {
  return (await postCommand(target, body)).json;
}

/** Makes one `notification` event; its title is unique. Returns what tells it from all others. */
export async function notify(target: Target, message = 'conformance'): Promise<(e: Frame) => boolean> {
  const title = `note ${randomUUID()}`;
  const answer = await command(target, {
    command: 'send_notification',
    parameters: { title, message, type: 'message' },
  });
  if (answer.status !== 'success') throw new Error(`send_notification: ${JSON.stringify(answer)}`);
  return (event) => event.type === 'notification' && event.data.title === title;
}

/** So many of them, in order. */
export async function notifyMany(target: Target, count: number): Promise<((e: Frame) => boolean)[]> {
  const made: ((e: Frame) => boolean)[] = [];
  for (let i = 0; i < count; i++) made.push(await notify(target, `number ${i}`));
  return made;
}

/** The end of the log now. */
export async function ends(target: Target): Promise<{ epoch: string; last: number }> {
  const { json } = await target.http('/desktop/status');
  return { epoch: json.epoch, last: json.last_offset };
}

/** Acknowledges everything there is, so that a case begins with nothing queued for this client. */
export async function skipToNow(target: Target, clientId: string): Promise<void> {
  const { epoch, last } = await ends(target);
  const answer = await target.http(
    `/desktop/events/poll?client_id=${clientId}&epoch=${epoch}&after=${last}&limit=1`,
  );
  if (answer.status !== 200) throw new Error(`poll: ${answer.status} ${answer.text}`);
}

export async function queued(target: Target, clientId: string): Promise<number> {
  const { json } = await target.http(`/desktop/status?client_id=${clientId}`);
  return json.queued_events;
}
