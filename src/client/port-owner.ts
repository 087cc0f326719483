/**
 * Whether a listening port belongs to a process: Linux only, from /proc. A port of another process is told apart by
 * its socket, or by its account when the process's descriptors may not be read. Elsewhere nothing is known and yes is
 * the answer: the agent's file stands in a folder that only its owner may write.
 */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';

interface Listener {
  readonly uid: number;
  readonly inode: string;
}

export async function portIsOwnedBy(pid: number, port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => listeners(name, port)));
  const found = tables.flat();
  if (found.length === 0) return false;
  const sockets = await socketInodes(pid);
  if (sockets) return found.every(({ inode }) => sockets.has(inode));
  const owner = await stat(`/proc/${pid}`).catch(() => null);
  return owner !== null && found.every(({ uid }) => uid === owner.uid);
}

/** Fields of a line: sl local remote state queues timer retransmits uid timeout inode. */
async function listeners(table: string, port: number): Promise<Listener[]> {
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '');
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const LISTEN = '0A';
  return text.split('\n').flatMap((line) => {
    const [, local, , state, , , , uid, , inode] = line.trim().split(/\s+/);
    return local?.endsWith(suffix) && state === LISTEN && inode ? [{ uid: Number(uid), inode }] : [];
  });
}

/** null: not ours to read. */
async function socketInodes(pid: number): Promise<ReadonlySet<string> | null> {
  try {
    const names = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.all(names.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  } catch {
    return null;
  }
}
