/** C6: who beside root and its owner could put another directory in the place of the data directory. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { replaceable } from '../../src/app/path-owners.ts';

const [CHILD, OWNER] = [65_533, 65_534];

let root = '';
let dir = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-owners-'));
  dir = join(root, 'above/data');
  mkdirSync(dir, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The folder above the data directory. */
function above(uid: number, gid: number, mode: number): string {
  const path = join(root, 'above');
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
}

describe.runIf(process.getuid?.() === 0)('the folder above the data directory', () => {
  test.each([
    ["is root's", 0, 0, 0o755],
    ["is its owner's, as is the group that may write in it", OWNER, OWNER, 0o775],
    ["is everybody's to write in, but for what is not theirs", 0, 0, 0o1777],
    ["is the group of root's to write in", 0, 0, 0o775],
  ])('%s: nobody can replace it', (_how, uid, gid, mode) => {
    above(uid, gid, mode);
    chownSync(dir, OWNER, OWNER);
    expect(replaceable(dir)).toBeNull();
  });

  test('of another account is told', () => {
    const path = above(CHILD, CHILD, 0o755);
    expect(replaceable(dir)).toEqual({
      said: `${path} belongs to another account (uid ${CHILD}), so the data directory ${dir} could be replaced as a whole`,
      remedy: 'name a place below folders of root with --data-dir',
    });
  });

  test.each([
    ['everybody may', 0, 0o757],
    ['a group may', CHILD, 0o775],
  ])('that %s write in is told with the command that mends it', (_who, gid, mode) => {
    const path = above(0, gid, mode);
    expect(replaceable(dir)).toEqual({
      said: `others may write in ${path}, so the data directory ${dir} could be replaced as a whole`,
      remedy: `run "chmod go-w ${path}" or name a place below folders of root with --data-dir`,
    });
  });

  test('a link in its path is as much as the folder that it stands in, and the one it leads to', () => {
    const theirs = join(root, 'theirs');
    mkdirSync(theirs);
    symlinkSync(join(root, 'above'), join(theirs, 'link'));
    expect(replaceable(join(theirs, 'link/data'))).toBeNull();
    chownSync(theirs, CHILD, CHILD);
    expect(replaceable(join(theirs, 'link/data'))?.said).toContain(`${theirs} belongs to`);
    chownSync(theirs, 0, 0);
    const path = above(CHILD, CHILD, 0o755);
    expect(replaceable(join(theirs, 'link/data'))?.said).toContain(`${path} belongs to`);
  });

  test('says nothing of one that is not there', () => {
    expect(replaceable(join(root, 'nowhere/data'))).toBeNull();
  });
});
