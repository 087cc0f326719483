/**
 * Who may do what with a file on Windows, read from the bytes that GetFileSecurityW gives (a self-relative security
 * descriptor), and who of them has no business there. Pure; windows-security.ts makes the calls.
 */

export interface AccessEntry {
  /** `S-1-5-18` */
  readonly sid: string;
  /** The rights it allows, as an ACCESS_MASK. */
  readonly mask: number;
}

export interface SecurityDescriptor {
  readonly owner: string | null;
  /** What is allowed; null: there is no list, so everybody may do anything. */
  readonly allowed: readonly AccessEntry[] | null;
}

export const SYSTEM = 'S-1-5-18';
export const ADMINISTRATORS = 'S-1-5-32-544';
const EVERYBODY = 'S-1-1-0';

/** Who may do anything on the machine anyway, and who the owner is, whoever that is. */
const TRUSTED: readonly string[] = [
  SYSTEM,
  ADMINISTRATORS,
  // TrustedInstaller
  'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464',
  // Creator owner, owner rights
  'S-1-3-0',
  'S-1-3-4',
];

const GENERIC_ALL = 0x1000_0000;
/** Any of these lets somebody see what is in a file. */
export const MAY_READ = 0x1 | GENERIC_ALL | 0x8000_0000;
/** Any of these lets somebody change or replace it: data, attributes, children, deletion, rights, owner. */
export const MAY_WRITE =
  0x2 | 0x4 | 0x10 | 0x40 | 0x100 | 0x1_0000 | 0x4_0000 | 0x8_0000 | GENERIC_ALL | 0x4000_0000;

/**
 * Everybody who has one of these rights, or owns the file and so can take them, and is neither us nor trusted. What
 * is denied to them is not looked at, and what only children inherit counts: both err on the safe side.
 */
export function strangersWith(mask: number, of: SecurityDescriptor, own: string): readonly string[] {
  const known = new Set([...TRUSTED, own]);
  const holders = of.allowed
    ? of.allowed.filter((entry) => (entry.mask & mask) !== 0).map(({ sid }) => sid)
    : [EVERYBODY];
  return [...new Set([...holders, of.owner ?? EVERYBODY])].filter((sid) => !known.has(sid));
}

const DACL_PRESENT = 0x4;
const ACL_HEADER_BYTES = 8;
/** ACCESS_ALLOWED_ACE and its conditional form: type, flags, size, mask, SID. */
const ALLOWING_TYPES: readonly number[] = [0, 9];

export function parseSecurityDescriptor(bytes: Buffer): SecurityDescriptor {
  const control = bytes.readUInt16LE(2);
  const ownerAt = bytes.readUInt32LE(4);
  const listAt = bytes.readUInt32LE(16);
  const hasList = (control & DACL_PRESENT) !== 0 && listAt !== 0;
  return {
    owner: ownerAt === 0 ? null : sidText(bytes, ownerAt),
    allowed: hasList ? [...allowing(bytes, listAt)] : null,
  };
}

function* allowing(bytes: Buffer, listAt: number): Generator<AccessEntry> {
  const count = bytes.readUInt16LE(listAt + 4);
  let at = listAt + ACL_HEADER_BYTES;
  for (let n = 0; n < count; n++) {
    if (ALLOWING_TYPES.includes(bytes.readUInt8(at))) {
      yield { sid: sidText(bytes, at + 8), mask: bytes.readUInt32LE(at + 4) };
    }
    at += bytes.readUInt16LE(at + 2);
  }
}

/** A SID in its written form: revision, authority (6 bytes, big end first), then what its count says. */
export function sidText(bytes: Buffer, at: number): string {
  const count = bytes.readUInt8(at + 1);
  const rest = Array.from({ length: count }, (_, n) => bytes.readUInt32LE(at + 8 + n * 4));
  return ['S', bytes.readUInt8(at), bytes.readUIntBE(at + 2, 6), ...rest].join('-');
}
