/**
 * WebSocket frames byte by byte (RFC 6455, section 5): a writer that can break every rule, a reader of what comes
 * back, and a connection over a plain socket that does nothing by itself.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameParts {
  readonly opcode?: number;
  readonly payload?: string | Uint8Array;
  readonly fin?: boolean;
  /** Three bits, RSV1 the highest. */
  readonly rsv?: number;
  /** false: as only a server may send it; a string: this key of four characters. */
  readonly mask?: boolean | string;
  /** How the length is written; left out: the shortest form. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** Says another length than the payload has. */
  readonly length?: number | bigint;
}

/** One frame as bytes; by default a masked, final text frame, as a right client sends it. */
export function frame(parts: FrameParts = {}): Buffer {
  const { opcode = OPCODE.text, payload = '', fin = true, rsv = 0, mask = true } = parts;
  const data = Buffer.from(payload as Uint8Array);
  const length = BigInt(parts.length ?? data.length);
  const lengthBytes = parts.lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const short = lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127;
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (mask ? 0x80 : 0) | short]);
  const long = Buffer.alloc(lengthBytes);
  if (lengthBytes === 2) long.writeUInt16BE(Number(length));
  if (lengthBytes === 8) long.writeBigUInt64BE(length);
  if (!mask) return Buffer.concat([head, long, data]);
  const key = typeof mask === 'string' ? Buffer.from(mask, 'latin1') : randomBytes(4);
  const masked = data.map((byte, i) => byte ^ (key[i % 4] ?? 0));
  return Buffer.concat([head, long, key, masked]);
}

/** A close frame: a code and a reason, or nothing at all. */
export function closeFrame(code?: number, reason: string | Uint8Array = ''): Buffer {
  if (code === undefined) return frame({ opcode: OPCODE.close });
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return frame({ opcode: OPCODE.close, payload: Buffer.concat([head, Buffer.from(reason as Uint8Array)]) });
}

export interface ReadFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** The whole frames at the start of `bytes`, and what is left. */
export function readFrames(bytes: Buffer): { readonly frames: ReadFrame[]; readonly rest: Buffer } {
  const frames: ReadFrame[] = [];
  let at = 0;
  for (;;) {
    const [first, second] = [bytes[at], bytes[at + 1]];
    if (first === undefined || second === undefined) break;
    const short = second & 0x7f;
    const from = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0);
    if (from > bytes.length) break;
    const length =
      short === 126
        ? bytes.readUInt16BE(at + 2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(at + 2))
          : short;
    if (from + length > bytes.length) break;
    frames.push({
      opcode: first & 0x0f,
      fin: (first & 0x80) !== 0,
      rsv: (first >> 4) & 7,
      masked: (second & 0x80) !== 0,
      payload: bytes.subarray(from, from + length),
    });
    at = from + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** An upgrade request; a header given as null is left out, one given as a list comes more than once. */
export function upgradeRequest(
  port: number,
  headers: Readonly<Record<string, string | readonly string[] | null>> = {},
  line = 'GET / HTTP/1.1',
): string {
  const all = {
    Host: `localhost:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  return [line, ...lines, '', ''].join('\r\n');
}

/** A connection that was upgraded. It answers nothing, not even a ping or a close. */
export class RawWebSocket {
  readonly frames: ReadFrame[] = [];
  /** The answer to the upgrade, headers and all. */
  readonly answer: string;
  /** Settles when the TCP connection is over. */
  readonly gone: Promise<void>;
  readonly socket: Socket;
  #rest: Buffer;
  #over = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket, answer: string, rest: Buffer) {
    this.socket = socket;
    this.answer = answer;
    this.#rest = rest;
    this.#take(Buffer.alloc(0));
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.gone = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Sends the request, with `early` right behind it; rejects with the status of a refusal. */
  static open(port: number, request: string, early: Uint8Array = Buffer.alloc(0)): Promise<RawWebSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let received = Buffer.alloc(0);
      const look = (chunk: Buffer): void => {
        received = Buffer.concat([received, chunk]);
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const answer = received.subarray(0, end + 4).toString('latin1');
        socket.off('data', look);
        if (answer.startsWith('HTTP/1.1 101 ')) {
          resolve(new RawWebSocket(socket, answer, received.subarray(end + 4)));
        } else {
          socket.destroy();
          reject(new Error(answer.slice(9, 12)));
        }
      };
      socket.on('data', look);
      socket.on('error', () => {});
      socket.on('close', () => reject(new Error('closed without an answer')));
      socket.write(Buffer.concat([Buffer.from(request, 'latin1'), early]));
    });
  }

  send(...chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.socket.write(chunk);
  }

  /** Waits until it holds or the connection is over. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#over) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Text frames as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into frames of many shapes
  texts(): any[] {
    return this.frames.filter((f) => f.opcode === OPCODE.text).map((f) => JSON.parse(String(f.payload)));
  }

  #take(chunk: Buffer): void {
    const { frames, rest } = readFrames(Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    this.frames.push(...frames);
    this.#wake();
  }

  #wake(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}
