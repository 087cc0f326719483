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

/** Listens on one address; `false` when it could not. Port 0 takes a free one. */
export type ListenOn = (address: string, port: number) => { readonly port: number; close(): void } | false;

const IPV4 = '127.0.0.1';
const IPV6 = '::1';
/** How often a free port of 127.0.0.1 may turn out taken on ::1 before that is an error. */
const FREE_PORT_ATTEMPTS = 50;
/** The machine has no IPv6 loopback: serving 127.0.0.1 alone is right then. */
const NO_SUCH_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL', 'ENOTSUP']);

export async function listenLoopback(listenOn: ListenOn, port: number): Promise<Listeners> {
  for (let attempt = 1; ; attempt += 1) {
    const v4 = listenOn(IPV4, port);
    if (!v4) throw cannotListen(IPV4, port, await whyNot(IPV4, port));
    const v6 = listenOn(IPV6, v4.port);
    if (v6) return both(v4, v6);
    const why = await whyNot(IPV6, v4.port);
    if (why !== null && NO_SUCH_ADDRESS.has(why)) {
      return { port: v4.port, addresses: [`${IPV4}:${v4.port}`], close: () => v4.close() };
    }
    v4.close();
    if (port !== 0 || attempt === FREE_PORT_ATTEMPTS) throw cannotListen(IPV6, v4.port, why);
  }
}

function both(v4: { readonly port: number; close(): void }, v6: { close(): void }): Listeners {
  return {
    port: v4.port,
    addresses: [`${IPV4}:${v4.port}`, `[${IPV6}]:${v4.port}`],
    close() {
      v4.close();
      v6.close();
    },
  };
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
