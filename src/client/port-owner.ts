/**
 * Whether a listening port belongs to a process: Linux only, from /proc. A port of another process is told apart by
 * its socket, or by its account when the process's descriptors may not be read. Only sockets that a client of
 * 127.0.0.1 or ::1 can reach decide: anybody may listen on 127.0.0.2. Elsewhere nothing is known and yes is the
 * answer: the agent's file stands in a folder that only its owner may write.
 */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';

/** As the kernel writes them, each group of four bytes in the machine's order. */
const REACHED_BY_CLIENTS: ReadonlySet<string> = new Set([
  '0100007F', // 127.0.0.1
  '00000000', // 0.0.0.0
  '00000000000000000000000001000000', // ::1
  '00000000000000000000000000000000', // ::
  '0000000000000000FFFF00000100007F', // 127.0.0.1 on a socket of IPv6
]);

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
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const LISTEN = '0A';
  return text.split('\n').flatMap((line) => {
    const [, local, , state, , , , uid, , inode] = line.trim().split(/\s+/);
    const [address = '', at] = local?.split(':') ?? [];
    const counts = at === wanted && state === LISTEN && REACHED_BY_CLIENTS.has(address);
    return counts && inode ? [{ uid: Number(uid), inode }] : [];
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
