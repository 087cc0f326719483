/** S5, C6 on Windows: whose rights on a file make it one that is not ours to trust. */
import { describe, expect, test } from 'vitest';
import {
  ADMINISTRATORS,
  MAY_READ,
  MAY_WRITE,
  parseSecurityDescriptor,
  SYSTEM,
  strangersWith,
} from '../../src/app/security-descriptor.ts';

const CHILD = 'S-1-5-21-1004336348-1177238915-682003330-1004';
const OWN = 'S-1-5-21-1004336348-1177238915-682003330-1001';
const USERS = 'S-1-5-32-545';
const EVERYBODY = 'S-1-1-0';
const FULL = 0x1f01ff;
const FILE_READ = 0x120089;
const ALLOWED = 0;
const DENIED = 1;

type Entry = readonly [type: number, sid: string, mask: number];

function sidBytes(sid: string): Buffer {
  const [revision = 0, authority = 0, ...rest] = sid.split('-').slice(1).map(Number);
  const bytes = Buffer.alloc(8 + rest.length * 4);
  bytes.writeUInt8(revision, 0);
  bytes.writeUInt8(rest.length, 1);
  bytes.writeUIntBE(authority, 2, 6);
  for (const [n, part] of rest.entries()) bytes.writeUInt32LE(part, 8 + n * 4);
  return bytes;
}

/** A self-relative descriptor as Windows lays it out; `entries` null: without a list. */
function descriptor(owner: string, entries: readonly Entry[] | null): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt8(1, 0);
  head.writeUInt16LE(entries ? 0x8004 : 0x8000, 2);
  const ownerSid = sidBytes(owner);
  head.writeUInt32LE(20, 4);
  if (!entries) return Buffer.concat([head, ownerSid]);
  head.writeUInt32LE(20 + ownerSid.length, 16);
  const aces = entries.map(([type, sid, mask]) => {
    const ace = Buffer.concat([Buffer.alloc(8), sidBytes(sid)]);
    ace.writeUInt8(type, 0);
    ace.writeUInt16LE(ace.length, 2);
    ace.writeUInt32LE(mask, 4);
    return ace;
  });
  const list = Buffer.alloc(8);
  list.writeUInt8(2, 0);
  list.writeUInt16LE(aces.length, 4);
  return Buffer.concat([head, ownerSid, list, ...aces]);
}

const strangers = (mask: number, owner: string, entries: readonly Entry[] | null) =>
  strangersWith(mask, parseSecurityDescriptor(descriptor(owner, entries)), OWN);

test('a descriptor is read as it was written: owner, and what is allowed to whom', () => {
  const read = parseSecurityDescriptor(
    descriptor(SYSTEM, [
      [ALLOWED, CHILD, FILE_READ],
      [DENIED, USERS, FULL],
      [ALLOWED, ADMINISTRATORS, FULL],
    ]),
  );
  expect(read).toEqual({
    owner: SYSTEM,
    allowed: [
      { sid: CHILD, mask: FILE_READ },
      { sid: ADMINISTRATORS, mask: FULL },
    ],
  });
});

describe('who has no business there', () => {
  test('SYSTEM, Administrators and the agent itself are no strangers', () => {
    const entries: Entry[] = [SYSTEM, ADMINISTRATORS, OWN].map((sid) => [ALLOWED, sid, FULL]);
    expect(strangers(MAY_READ | MAY_WRITE, ADMINISTRATORS, entries)).toEqual([]);
  });

  test('a reader is one of control.token, not of view.token', () => {
    const entries: Entry[] = [
      [ALLOWED, SYSTEM, FULL],
      [ALLOWED, USERS, FILE_READ],
    ];
    expect(strangers(MAY_READ | MAY_WRITE, SYSTEM, entries)).toEqual([USERS]);
    expect(strangers(MAY_WRITE, SYSTEM, entries)).toEqual([]);
  });

  test('passing through a folder is nothing, making files in it is', () => {
    expect(strangers(MAY_WRITE, SYSTEM, [[ALLOWED, USERS, 0x1000a0]])).toEqual([]);
    expect(strangers(MAY_WRITE, SYSTEM, [[ALLOWED, USERS, 0x1000a6]])).toEqual([USERS]);
  });

  test.each([
    ['data', 0x2],
    ['attributes, and so a junction', 0x100],
    ['deletion', 0x1_0000],
    ['the rights', 0x4_0000],
    ['the owner', 0x8_0000],
    ['everything, as a generic right', 0x1000_0000],
    ['writing, as a generic right', 0x4000_0000],
  ])('who may change %s is one', (_what, mask) => {
    expect(strangers(MAY_WRITE, SYSTEM, [[ALLOWED, CHILD, mask]])).toEqual([CHILD]);
  });

  test('who may read by a generic right is a reader', () => {
    expect(strangers(MAY_READ, SYSTEM, [[ALLOWED, CHILD, 0x8000_0000]])).toEqual([CHILD]);
  });

  test('the owner is one whatever the list says: the folder was made by the child before the agent came', () => {
    expect(strangers(MAY_WRITE, CHILD, [[ALLOWED, SYSTEM, FULL]])).toEqual([CHILD]);
  });

  test('without a list everybody is', () => {
    expect(strangers(MAY_WRITE, SYSTEM, null)).toEqual([EVERYBODY]);
  });
});
