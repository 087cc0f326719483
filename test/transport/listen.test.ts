/** Binding the port (contract S1, C5). */
import { createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { EXIT, UserError } from '../../src/protocol/exit-codes.ts';
import { type ListenOn, listenLoopback } from '../../src/transport/listen.ts';
import { testServer } from '../helpers/transport-server.ts';

function occupy(host: string, port = 0): Promise<{ server: Server; port: number }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port }, () =>
      resolve({ server, port: (server.address() as { port: number }).port }),
    );
  });
}

const hasIpv6 = await occupy('::1').then(
  ({ server }) => {
    server.close();
    return true;
  },
  () => false,
);

const failure = async (promise: Promise<unknown>): Promise<UserError> => {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};

test.runIf(hasIpv6)('S1 a free port is the same on both loopback addresses', async () => {
  const t = await testServer();
  expect(t.server.addresses).toEqual([`127.0.0.1:${t.port}`, `[::1]:${t.port}`]);
  for (const host of ['127.0.0.1', '::1']) {
    const answer = await t.raw(`GET /health HTTP/1.1\r\nHost: localhost:${t.port}\r\n\r\n`, host);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  }
  await t.stop();
});

test('C5 S1 a second server cannot share the port: 69, and it names the place', async () => {
  const t = await testServer();
  const error = await failure(testServer({ port: t.port }));
  expect(error.exitCode).toBe(EXIT.cannotServe);
  expect(error.message).toContain(`127.0.0.1:${t.port}`);
  expect((await t.request('/health')).status).toBe(200);
  await t.stop();
});

test.runIf(hasIpv6)('C5 the port taken on ::1 alone is 69 too, and 127.0.0.1 is let go again', async () => {
  const { server, port } = await occupy('::1');
  const error = await failure(testServer({ port }));
  expect(error.exitCode).toBe(EXIT.cannotServe);
  expect(error.message).toContain(`[::1]:${port}`);
  const v4 = await occupy('127.0.0.1', port);
  v4.server.close();
  server.close();
});

test('S1 another host than a loopback name is refused', async () => {
  expect((await failure(testServer({ host: '0.0.0.0' }))).exitCode).toBe(EXIT.usage);
});

test('S1 port 0 tries other ports until one is free on both addresses', async () => {
  const { server, port } = await occupy(hasIpv6 ? '::1' : '127.0.0.1');
  const asked: string[] = [];
  const closed: number[] = [];
  // The first free port of 127.0.0.1 is refused on ::1, as if somebody had it there.
  const listenOn: ListenOn = (address, free) => {
    asked.push(address);
    return asked.length === 2 ? false : () => closed.push(free);
  };
  const listeners = await listenLoopback(listenOn, 0);
  if (hasIpv6) {
    expect(asked).toEqual(['127.0.0.1', '::1', '127.0.0.1', '::1']);
    expect(closed).toHaveLength(1);
  }
  expect(listeners.port).not.toBe(port);
  server.close();
});

test('a restart on the same port works at once, old connections or not', async () => {
  let port = 0;
  for (let i = 0; i < 3; i += 1) {
    const t = await testServer({ port });
    port = t.port;
    const socket = t.socket();
    await socket.frame('welcome');
    await t.server.stop();
    expect(await socket.closed).toBe(4005);
  }
});
