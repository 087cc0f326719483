/**
 * A TCP proxy that does to connections what networks do: cuts them in the middle of a frame, resets them, stalls,
 * slows down, refuses. Counts what it did, so that a test can say how many faults it really injected.
 */
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly agent: Socket;
  /** Something is on its way to the client, slowly: it arrives whole even when the agent closes. */
  trickling: boolean;
}

export class FaultyProxy {
  /** Faults that really happened to a connection. */
  faults = 0;
  /** New connections are reset. */
  refusing = false;
  /** New connections that ask for a WebSocket are reset; plain HTTP goes through. */
  refusingUpgrades = false;
  /** Nothing is forwarded any more in either direction, and nobody is told. */
  stalled = false;
  /** Towards the client, bytes a second; null: as fast as it goes. */
  bytesPerSecond: number | null = null;
  readonly #pairs = new Set<Pair>();
  /** After so many more bytes towards the client the connection that carried them is cut. */
  #budget = Number.POSITIVE_INFINITY;
  #agentPort: () => number;
  #server: Server | null = null;
  #port = 0;

  /** `agentPort` is asked at each connection, since agents come back on other ports. */
  constructor(agentPort: () => number) {
    this.#agentPort = agentPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  async start(): Promise<void> {
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const pair of this.#pairs) close(pair);
    const server = this.#server;
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  cutAfter(bytes: number): void {
    this.#budget = bytes;
  }

  /** Every connection ends with a reset. */
  resetAll(): void {
    for (const pair of [...this.#pairs]) this.#reset(pair);
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.refusing) {
      this.faults++;
      client.resetAndDestroy();
      return;
    }
    const agent = dial({ host: '127.0.0.1', port: this.#agentPort() });
    agent.on('error', () => {});
    const pair: Pair = { client, agent, trickling: false };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      close(pair);
    };
    client.on('close', end);
    agent.on('close', () => {
      if (!pair.trickling) end();
    });
    client.on('data', (bytes) => {
      if (this.refusingUpgrades && asksForWebSocket(bytes)) this.#reset(pair);
      else if (this.stalled) this.faults++;
      else agent.write(withHost(bytes, this.#agentPort()));
    });
    agent.on('data', (bytes) => this.#deliver(pair, bytes));
  }

  #deliver(pair: Pair, bytes: Buffer): void {
    if (this.stalled) {
      this.faults++;
      return;
    }
    if (bytes.length > this.#budget) {
      pair.client.write(bytes.subarray(0, this.#budget), () => this.#reset(pair));
      this.#budget = Number.POSITIVE_INFINITY;
      return;
    }
    this.#budget -= bytes.length;
    if (this.bytesPerSecond === null) pair.client.write(bytes);
    else this.#trickle(pair, bytes, this.bytesPerSecond);
  }

  #trickle(pair: Pair, bytes: Buffer, rate: number): void {
    const { client, agent } = pair;
    this.faults++;
    agent.pause();
    pair.trickling = true;
    const piece = Math.max(1, Math.floor(rate / 20));
    let sent = 0;
    const timer = setInterval(() => {
      client.write(bytes.subarray(sent, sent + piece));
      sent += piece;
      if (sent < bytes.length && !client.destroyed) return;
      clearInterval(timer);
      pair.trickling = false;
      if (agent.destroyed) client.end();
      else agent.resume();
    }, 50);
  }

  #reset({ client, agent }: Pair): void {
    this.faults++;
    client.resetAndDestroy();
    agent.resetAndDestroy();
  }
}

/** An agent answers to its own port only (contract S2). A request's head comes in one piece here. */
function withHost(bytes: Buffer, port: number): Buffer {
  const text = bytes.toString('latin1');
  if (!/^[A-Z]+ \//.test(text)) return bytes;
  return Buffer.from(text.replace(/^host: .*$/im, `Host: 127.0.0.1:${port}`), 'latin1');
}

function asksForWebSocket(bytes: Buffer): boolean {
  return /^upgrade: *websocket/im.test(bytes.toString('latin1'));
}

function close({ client, agent }: Pair): void {
  client.destroy();
  agent.destroy();
}
