/**
 * Which account a uid is, from /etc/passwd, read again when the file has changed. An account that only a
 * directory service knows is told by its number: better a name nobody wrote down than none at all. A subordinate uid is
 * the account's that may use it: in a user namespace of its own a child can play as any of them. While a file cannot be
 * read (no descriptor left, say) what it said before holds: whose game it is must not depend on such a moment.
 */
import { readFileSync, statSync } from 'node:fs';

export type AccountName = (uid: number) => string;

export function accountNames(file = '/etc/passwd', subordinates = '/etc/subuid'): AccountName {
  const names = kept(file, parsePasswd);
  const ranges = kept(subordinates, parseSubordinates);
  return (uid) => {
    const known = names();
    const name = known.get(uid);
    if (name !== undefined) return name;
    const range = ranges().find(({ first, count }) => uid >= first && uid < first + count);
    // A range may name its account by number.
    return range ? (known.get(Number(range.owner)) ?? range.owner) : String(uid);
  };
}

/** What a file says, read again when it has changed; nothing while there is none. */
function kept<T>(file: string, parse: (text: string) => T): () => T {
  let content = parse('');
  let readAt = -1;

  function refresh(): void {
    const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;
    if (changed === readAt) return;
    content = parse(changed === -1 ? '' : readFileSync(file, 'utf8'));
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
  return () => {
    if (!refreshed() && readAt === -1) throw new Error(`${file} cannot be read`);
    return content;
  };
}

interface Subordinates {
  readonly owner: string;
  readonly first: number;
  readonly count: number;
}

/** `name:first:count` a line (subuid(5)). */
export function parseSubordinates(text: string): readonly Subordinates[] {
  return text.split('\n').flatMap((line) => {
    const [, owner, first, count] = /^([^:#]+):(\d+):(\d+)$/.exec(line.trim()) ?? [];
    return owner === undefined ? [] : [{ owner, first: Number(first), count: Number(count) }];
  });
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
