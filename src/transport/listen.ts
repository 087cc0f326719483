/**
 * Binding the port: exclusively, on both loopback addresses with the same number (contract S1). uWebSockets.js says
 * only that a listen failed, so a plain probe asks the system why.
 */
import { createServer } from 'node:net';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

export interface Listeners {
  readonly port: number;
  readonly addresses: readonly string[];
  /** Stops listening; open connections stay. */
  close(): void;
}

/** Listens on one address and port; returns how to stop, or `false` when it could not. */
export type ListenOn = (address: string, port: number) => (() => void) | false;

const IPV4 = '127.0.0.1';
const IPV6 = '::1';
/** How often a free port of 127.0.0.1 may turn out taken on ::1 before that is an error. */
const FREE_PORT_ATTEMPTS = 50;
/** The machine has no IPv6 loopback: serving 127.0.0.1 alone is right then. */
const NO_SUCH_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL', 'ENOTSUP']);

/** Listens on both loopback addresses; `wanted` 0 takes a port that is free on both. */
export async function listenLoopback(listenOn: ListenOn, wanted: number): Promise<Listeners> {
  for (let attempt = 1; ; attempt += 1) {
    // A port that the system chooses at bind time gets no SO_REUSEADDR from uWebSockets.js: a restart on that very
    // port would then fail while old connections linger. So it is chosen before.
    const port = wanted === 0 ? await freePort() : wanted;
    const tried = await listenBoth(listenOn, port);
    if (!(tried instanceof UserError)) return tried;
    if (wanted !== 0 || attempt === FREE_PORT_ATTEMPTS) throw tried;
  }
}

async function listenBoth(listenOn: ListenOn, port: number): Promise<Listeners | UserError> {
  const closeV4 = listenOn(IPV4, port);
  if (!closeV4) return cannotListen(IPV4, port, await whyNot(IPV4, port));
  const addresses = [`${IPV4}:${port}`];
  const closeV6 = listenOn(IPV6, port);
  if (closeV6) {
    const close = (): void => {
      closeV4();
      closeV6();
    };
    return { port, addresses: [...addresses, `[${IPV6}]:${port}`], close };
  }
  const why = await whyNot(IPV6, port);
  if (why !== null && NO_SUCH_ADDRESS.has(why)) return { port, addresses, close: closeV4 };
  closeV4();
  return cannotListen(IPV6, port, why);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host: IPV4, port: 0, exclusive: true }, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/** The system's code for why an address cannot be listened on; null when it now could. */
function whyNot(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen({ host: address, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}

function cannotListen(address: string, port: number, why: string | null): UserError {
  const place = address === IPV6 ? `[${address}]:${port}` : `${address}:${port}`;
  if (why === 'EADDRINUSE') {
    return new UserError(
      EXIT.cannotServe,
      `Another program listens on ${place}: stop it, or choose another port.`,
    );
  }
  if (why === 'EACCES') {
    return new UserError(
      EXIT.cannotServe,
      `This account may not listen on ${place}: choose a port above 1023.`,
    );
  }
  return new UserError(EXIT.cannotServe, `Cannot listen on ${place}: ${why ?? 'the system refused it'}.`);
}
