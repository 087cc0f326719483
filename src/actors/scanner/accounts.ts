/**
 * Which account a uid is, from /etc/passwd, read again when the file has changed. An account that only a
 * directory service knows is told by its number: better a name nobody wrote down than none at all.
 */
import { readFileSync, statSync } from 'node:fs';

export type AccountName = (uid: number) => string;

export function accountNames(file = '/etc/passwd'): AccountName {
  let names = new Map<number, string>();
  let readAt = -1;
  return (uid) => {
    const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;
    if (changed !== readAt) {
      readAt = changed;
      names = changed === -1 ? new Map() : parsePasswd(readFileSync(file, 'utf8'));
    }
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
