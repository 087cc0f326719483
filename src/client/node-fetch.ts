/**
 * `fetch` as far as the client needs it, over `node:http`: Node 20's own may never settle when the agent dies while a
 * connection is made. One connection for each request, so that none is used which the agent has just closed.
 */
import { request } from 'node:http';
import type { Fetch } from './ports.ts';

export const nodeFetch: Fetch = (url, { method, headers, body, signal }) =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, signal, agent: false }, (answer) => {
      const text = new Promise<string>((settle, fail) => {
        let all = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          all += part;
        });
        answer.once('end', () => settle(all));
        answer.once('error', fail);
      });
      // Whoever reads no text is not interested in its failure.
      text.catch(() => {});
      resolve({ status: answer.statusCode ?? 0, text: () => text });
    });
    sent.once('error', reject);
    sent.end(body);
  });
