/** Starts bench/delivery/host.ts in its modes. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../harness/bench.ts';
import { type Child, start } from '../harness/children.ts';
import type { Server } from '../harness/clients.ts';
import { workFolder } from '../harness/native.ts';
import type { Pace, Paced, Probed } from './host.ts';

const HOST = fileURLToPath(new URL('./delivery-host.js', import.meta.url));

let folders = 0;

export function dataFolder(): string {
  folders += 1;
  const folder = join(workFolder(), `data-${folders}`);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** Leaves so many events, or sessions that nobody has confirmed, in the folder. */
export async function fill(
  bench: Bench,
  folder: string,
  count: number,
  what: 'fill' | 'sessions' = 'fill',
): Promise<void> {
  const child = bench.owns(start(process.execPath, [HOST, what, folder, String(count)]), (c) => c.end());
  await child.line();
  await child.exited;
}

export async function probe(bench: Bench, folder: string): Promise<Probed> {
  const child = bench.owns(start(process.execPath, [HOST, 'probe', folder]), (c) => c.end());
  return JSON.parse(await child.line()) as Probed;
}

export interface DeliveryHost extends Server {
  readonly pid: number;
  append(pace: Pace): Promise<Paced>;
}

export async function serve(bench: Bench, folder: string): Promise<DeliveryHost> {
  const child = bench.owns(start(process.execPath, [HOST, 'serve', folder], { ipc: true }), (c) => c.end());
  const [port, token = ''] = (await child.line()).split(' ');
  return { pid: child.pid, port: Number(port), token, append: (pace) => ask(child, pace) };
}

function ask(child: Child, pace: Pace): Promise<Paced> {
  return new Promise((resolve, reject) => {
    child.process.once('message', (answer) => resolve(answer as Paced));
    void child.exited.then((code) => reject(new Error(`the delivery host ended with ${code}`)));
    child.process.send(pace);
  });
}
