/**
 * Which account a uid is, from /etc/passwd, read again when the file has changed. An account that only a
 * directory service knows is told by its number: better a name nobody wrote down than none at all. While the file cannot
 * be read (no descriptor left, say) the names of before hold: whose game it is must not depend on such a moment.
 */
import { readFileSync, statSync } from 'node:fs';

export type AccountName = (uid: number) => string;

export function accountNames(file = '/etc/passwd'): AccountName {
  let names = new Map<number, string>();
  let readAt = -1;

  function refresh(): void {
    const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;
    if (changed === readAt) return;
    names = changed === -1 ? new Map() : parsePasswd(readFileSync(file, 'utf8'));
    readAt = changed;
  }
  function refreshed(): boolean {
    try {
      refresh();
      return true;
    } catch {
      return false;
    }
  }

  refreshed();
  return (uid) => {
    if (!refreshed() && readAt === -1) throw new Error(`${file} cannot be read`);
    return names.get(uid) ?? String(uid);
  };
}

/** `name:password:uid:…` a line; of two accounts with one uid the first counts, as for getpwuid. */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}
