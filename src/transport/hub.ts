/**
 * Who has a socket open: every session, and the one of each client (contract H2). Wakes them when
 * the log grows, and decides which connection a newer one displaces (contract W6).
 */
import type { Position } from '../protocol/position.ts';
import type { CloseCode } from '../protocol/problems.ts';
import type { ClientSession } from './client-session.ts';

export class Hub {
  readonly #sessions = new Set<ClientSession>();
  readonly #byClient = new Map<string, ClientSession>();

  /** Open sockets, those that have not said hello included. */
  get sockets(): number {
    return this.#sessions.size;
  }

  /** Clients with a socket open. */
  clients(): readonly string[] {
    return [...this.#byClient.keys()];
  }

  has(clientId: string): boolean {
    return this.#byClient.has(clientId);
  }

  add(session: ClientSession): void {
    this.#sessions.add(session);
  }

  /** A session said who it is: an older one of the same client goes. */
  identified(session: ClientSession): void {
    const { clientId } = session;
    if (clientId === null) return;
    const older = this.#byClient.get(clientId);
    this.#byClient.set(clientId, session);
    if (older && older !== session) older.close(older.named ? 4502 : 4002);
  }

  remove(session: ClientSession): void {
    this.#sessions.delete(session);
    const { clientId } = session;
    if (clientId !== null && this.#byClient.get(clientId) === session) this.#byClient.delete(clientId);
  }

  /** The log grew. */
  wake(): void {
    for (const session of this.#sessions) session.push();
  }

  /** A client acknowledged in a poll what its socket may have in flight (contract D9). */
  cursorMoved(clientId: string, from: Position | null, to: Position): void {
    this.#byClient.get(clientId)?.cursorMoved(from, to);
  }

  /** A client said that it leaves. */
  leave(clientId: string): void {
    this.#byClient.get(clientId)?.leave();
  }

  /** Closes all sessions for which `which` holds. */
  closeAll(code: CloseCode, which: (session: ClientSession) => boolean = () => true): void {
    for (const session of [...this.#sessions]) if (which(session)) session.close(code);
  }
}
