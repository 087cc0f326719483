/** C5, C6: whose the configuration in the data directory must be to be read. */
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/app/config-file.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'playwarden-config-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A config.json of this owner, in a data directory that is the owner's too. */
function configOf(uid: number, gid: number, mode: number): string {
  const file = join(dir, 'config.json');
  writeFileSync(file, '{}');
  chownSync(dir, uid, uid);
  chownSync(file, uid, gid);
  chmodSync(file, mode);
  return file;
}

describe.runIf(process.getuid?.() === 0)('C5: the configuration in the data directory', () => {
  test.each([0, 65_533])('of uid %d that another group may write in is refused with what mends it', (uid) => {
    const file = configOf(uid, 65_534, 0o664);
    const message = `a group may write in the file (gid 65534): look at what it says and run "chmod g-w ${file}"`;
    expect(readConfig(undefined, dir)).toEqual({ ok: false, file, errors: [{ path: '$', message }] });
  });

  test.each([
    ["a group that is its owner's alone may write in it", 65_533, 65_533, 0o664],
    ['the group of root may', 65_533, 0, 0o660],
    ['another group may read it', 0, 65_534, 0o644],
  ])('holds when %s', (_title, uid, gid, mode) => {
    configOf(uid, gid, mode);
    expect(readConfig(undefined, dir)).toMatchObject({ ok: true });
  });
});
