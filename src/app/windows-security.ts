/**
 * Rights of files and folders on Windows, where modes mean nothing (contract C6): set and read through koffi. What
 * they mean stands in security-descriptor.ts.
 */
import { createRequire } from 'node:module';
import {
  ADMINISTRATORS,
  MAY_READ,
  MAY_WRITE,
  parseSecurityDescriptor,
  SYSTEM,
  sidText,
  strangersWith,
} from './security-descriptor.ts';

/** `directory`: users may pass through; `private`: SYSTEM and Administrators alone; `shared`: users may read it. */
export type Rights = 'directory' | 'private' | 'shared';

export interface WindowsSecurity {
  /** Throws when the system refuses. */
  setRights(path: string, rights: Rights): void;
  /** The SIDs of those who may do more with it than these rights let them. Throws when it cannot be read. */
  strangers(path: string, rights: Rights): readonly string[];
}

const DACL = 0x4;
const OWNER = 0x1;
const PROTECTED_DACL = 0x8000_0000;
const SDDL_REVISION = 1;
const TOKEN_QUERY = 0x8;
const TOKEN_USER = 1;
const CURRENT_PROCESS = -1;
const SID_MAX_BYTES = 68;
/** WinBuiltinAdministratorsSid */
const ADMINISTRATORS_KIND = 26;

/** What users get: to pass through and see attributes, nothing, to read. */
const USERS = { directory: '(A;;0x1000a0;;;BU)', private: '', shared: '(A;;FR;;;BU)' } as const;

let loaded: WindowsSecurity | null = null;

export function windowsSecurity(): WindowsSecurity {
  loaded ??= load();
  return loaded;
}

function load(): WindowsSecurity {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const advapi32 = koffi.load('advapi32.dll');
  const kernel32 = koffi.load('kernel32.dll');
  const getSecurity = advapi32.func(
    'int __stdcall GetFileSecurityW(str16 path, uint32_t what, void *out, uint32_t size, _Out_ uint32_t *needed)',
  );
  const setSecurity = advapi32.func(
    'int __stdcall SetFileSecurityW(str16 path, uint32_t what, uintptr_t descriptor)',
  );
  const fromText = advapi32.func(
    'int __stdcall ConvertStringSecurityDescriptorToSecurityDescriptorW(str16 text, uint32_t revision, _Out_ uintptr_t *descriptor, void *size)',
  );
  const openToken = advapi32.func(
    'int __stdcall OpenProcessToken(intptr_t process, uint32_t access, _Out_ uintptr_t *token)',
  );
  const tokenInfo = advapi32.func(
    'int __stdcall GetTokenInformation(uintptr_t token, int what, void *out, uint32_t size, _Out_ uint32_t *used)',
  );
  const wellKnownSid = advapi32.func(
    'int __stdcall CreateWellKnownSid(int kind, void *domain, void *sid, _Inout_ uint32_t *size)',
  );
  const isMember = advapi32.func(
    'int __stdcall CheckTokenMembership(uintptr_t token, void *sid, _Out_ int *member)',
  );
  const localFree = kernel32.func('uintptr_t __stdcall LocalFree(uintptr_t memory)');
  const closeHandle = kernel32.func('int __stdcall CloseHandle(uintptr_t handle)');

  function must(done: number, call: string): void {
    if (!done) throw new Error(`${call} was refused`);
  }

  /** The account of this process. */
  function ownSid(): string {
    const token = [0];
    must(openToken(CURRENT_PROCESS, TOKEN_QUERY, token), 'OpenProcessToken');
    try {
      // TOKEN_USER: a pointer to the SID and its attributes, then the SID.
      const user = Buffer.alloc(16 + SID_MAX_BYTES);
      must(tokenInfo(token[0], TOKEN_USER, user, user.length, [0]), 'GetTokenInformation');
      return sidText(user, 16);
    } finally {
      closeHandle(token[0]);
    }
  }

  function isAdministrator(): boolean {
    const sid = Buffer.alloc(SID_MAX_BYTES);
    must(wellKnownSid(ADMINISTRATORS_KIND, null, sid, [sid.length]), 'CreateWellKnownSid');
    const member = [0];
    must(isMember(0, sid, member), 'CheckTokenMembership');
    return member[0] !== 0;
  }

  const own = ownSid();
  /** As an administrator the account itself needs no entry: SYSTEM, which runs the agent later, would not trust it. */
  const full = isAdministrator() ? [SYSTEM, ADMINISTRATORS] : [SYSTEM, ADMINISTRATORS, own];

  function describe(rights: Rights): string {
    const inherit = rights === 'directory' ? 'OICI' : '';
    return `D:P${full.map((sid) => `(A;${inherit};FA;;;${sid})`).join('')}${USERS[rights]}`;
  }

  function descriptorOf(path: string): Buffer {
    const needed = [0];
    getSecurity(path, OWNER | DACL, null, 0, needed);
    const bytes = Buffer.alloc(needed[0] ?? 0);
    must(getSecurity(path, OWNER | DACL, bytes, bytes.length, needed), 'GetFileSecurityW');
    return bytes;
  }

  return {
    setRights(path, rights) {
      const descriptor = [0];
      must(fromText(describe(rights), SDDL_REVISION, descriptor, null), 'The list of rights');
      try {
        must(setSecurity(path, DACL + PROTECTED_DACL, descriptor[0]), 'SetFileSecurityW');
      } finally {
        localFree(descriptor[0]);
      }
    },
    strangers(path, rights) {
      const mask = rights === 'private' ? MAY_READ | MAY_WRITE : MAY_WRITE;
      return strangersWith(mask, parseSecurityDescriptor(descriptorOf(path)), own);
    },
  };
}
