/**
 * The few Win32 calls that detection needs, through koffi, behind an interface that tests replace. Handles are
 * numbers here and belong to whoever opened them. Structures are read from plain buffers (x64 and arm64 layout).
 */
import { createRequire } from 'node:module';

export interface SnapshotEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** The executable's base name. */
  readonly name: string;
}

export type Handle = number | bigint;

export interface Win32 {
  /** All processes. Throws when the snapshot fails. */
  snapshot(): SnapshotEntry[];
  /** null: it is gone, or not ours to open. The handle keeps the pid from being given out again. */
  open(pid: number): Handle | null;
  close(handle: Handle): void;
  /** When it started: 100 ns since 1601 in decimal; null: not readable. */
  creationTime(handle: Handle): string | null;
  imagePath(handle: Handle): string | null;
  commandLine(handle: Handle): string | null;
  /** The account that owns it, without its domain. */
  account(handle: Handle): string | null;
  hasExited(handle: Handle): boolean;
  /** Settles when one of them is signalled, or after `timeoutMs`; waits on one thread of the pool. */
  waitAny(handles: readonly Handle[], timeoutMs: number): Promise<void>;
  createEvent(): Handle;
  setEvent(event: Handle): void;
}

const TH32CS_SNAPPROCESS = 0x2;
const INVALID_HANDLE = 0xffff_ffff_ffff_ffffn;
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000;
const SYNCHRONIZE = 0x10_0000;
const TOKEN_QUERY = 0x8;
const TOKEN_USER = 1;
/** ProcessCommandLineInformation, Windows 8.1 and later. */
const COMMAND_LINE_INFORMATION = 60;
const WAIT_OBJECT_0 = 0;
/** WaitForMultipleObjects takes no more. */
export const WAIT_MAX = 64;

// PROCESSENTRY32W
const ENTRY_BYTES = 568;
const ENTRY_PID = 8;
const ENTRY_PARENT = 32;
const ENTRY_NAME = 44;

const PATH_MAX_CHARS = 32_768;
const COMMAND_MAX_BYTES = 65_536 + 16;

export function loadWin32(): Win32 {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const kernel32 = koffi.load('kernel32.dll');
  const advapi32 = koffi.load('advapi32.dll');
  const ntdll = koffi.load('ntdll.dll');

  const createSnapshot = kernel32.func(
    'uintptr_t __stdcall CreateToolhelp32Snapshot(uint32_t flags, uint32_t pid)',
  );
  const first = kernel32.func('int __stdcall Process32FirstW(uintptr_t snapshot, void *entry)');
  const following = kernel32.func('int __stdcall Process32NextW(uintptr_t snapshot, void *entry)');
  const openProcess = kernel32.func(
    'uintptr_t __stdcall OpenProcess(uint32_t access, int inherit, uint32_t pid)',
  );
  const closeHandle = kernel32.func('int __stdcall CloseHandle(uintptr_t handle)');
  const times = kernel32.func(
    'int __stdcall GetProcessTimes(uintptr_t process, void *created, void *exited, void *kernel, void *user)',
  );
  const image = kernel32.func(
    'int __stdcall QueryFullProcessImageNameW(uintptr_t process, uint32_t flags, void *name, void *size)',
  );
  const query = ntdll.func(
    'int32_t __stdcall NtQueryInformationProcess(uintptr_t process, uint32_t what, void *out, uint32_t size, void *used)',
  );
  const openToken = advapi32.func(
    'int __stdcall OpenProcessToken(uintptr_t process, uint32_t access, void *token)',
  );
  const tokenInfo = advapi32.func(
    'int __stdcall GetTokenInformation(uintptr_t token, int what, void *out, uint32_t size, void *used)',
  );
  const lookupSid = advapi32.func(
    'int __stdcall LookupAccountSidW(void *system, uintptr_t sid, void *name, void *nameSize, void *domain, void *domainSize, void *use)',
  );
  const waitOne = kernel32.func('uint32_t __stdcall WaitForSingleObject(uintptr_t handle, uint32_t ms)');
  const waitMany = kernel32.func(
    'uint32_t __stdcall WaitForMultipleObjects(uint32_t count, void *handles, int all, uint32_t ms)',
  );
  const createEvent = kernel32.func(
    'uintptr_t __stdcall CreateEventW(void *security, int manual, int initial, void *name)',
  );
  const setEvent = kernel32.func('int __stdcall SetEvent(uintptr_t event)');

  const entry = Buffer.alloc(ENTRY_BYTES);
  const wide = Buffer.alloc(PATH_MAX_CHARS * 2);
  const command = Buffer.alloc(COMMAND_MAX_BYTES);

  function accountOf(token: Handle): string | null {
    // TOKEN_USER: a pointer to the SID, which follows in the same buffer.
    const user = Buffer.alloc(256);
    if (!tokenInfo(token, TOKEN_USER, user, user.length, Buffer.alloc(4))) return null;
    const name = Buffer.alloc(512);
    const domain = Buffer.alloc(512);
    const nameSize = uint32(256);
    if (!lookupSid(null, user.readBigUInt64LE(0), name, nameSize, domain, uint32(256), Buffer.alloc(4)))
      return null;
    return name.toString('utf16le', 0, nameSize.readUInt32LE(0) * 2);
  }

  return {
    snapshot() {
      const handle: Handle = createSnapshot(TH32CS_SNAPPROCESS, 0);
      if (BigInt(handle) === INVALID_HANDLE) throw new Error('the list of processes cannot be taken');
      try {
        const entries: SnapshotEntry[] = [];
        entry.writeUInt32LE(ENTRY_BYTES, 0);
        for (let more = first(handle, entry); more; more = following(handle, entry)) {
          entries.push({
            pid: entry.readUInt32LE(ENTRY_PID),
            parentPid: entry.readUInt32LE(ENTRY_PARENT),
            name: wideString(entry, ENTRY_NAME),
          });
        }
        if (entries.length === 0) throw new Error('the list of processes is empty');
        return entries;
      } finally {
        closeHandle(handle);
      }
    },
    open(pid) {
      const handle: Handle = openProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, 0, pid);
      return BigInt(handle) === 0n ? null : handle;
    },
    close: (handle) => void closeHandle(handle),
    creationTime(handle) {
      const created = Buffer.alloc(8);
      const other = Buffer.alloc(8);
      return times(handle, created, other, other, other) ? String(created.readBigUInt64LE(0)) : null;
    },
    imagePath(handle) {
      const size = uint32(PATH_MAX_CHARS);
      return image(handle, 0, wide, size) ? wide.toString('utf16le', 0, size.readUInt32LE(0) * 2) : null;
    },
    commandLine(handle) {
      // UNICODE_STRING (16 bytes), then its text in the same buffer.
      if (query(handle, COMMAND_LINE_INFORMATION, command, command.length, Buffer.alloc(4)) < 0) return null;
      return command.toString('utf16le', 16, 16 + command.readUInt16LE(0));
    },
    account(handle) {
      const token = Buffer.alloc(8);
      if (!openToken(handle, TOKEN_QUERY, token)) return null;
      const opened = token.readBigUInt64LE(0);
      try {
        return accountOf(opened);
      } finally {
        closeHandle(opened);
      }
    },
    hasExited: (handle) => waitOne(handle, 0) === WAIT_OBJECT_0,
    waitAny(handles, timeoutMs) {
      const list = Buffer.alloc(handles.length * 8);
      handles.forEach((handle, index) => {
        list.writeBigUInt64LE(BigInt(handle), index * 8);
      });
      return new Promise((resolve, reject) => {
        waitMany.async(handles.length, list, 0, timeoutMs, (error: unknown) =>
          error ? reject(error) : resolve(),
        );
      });
    },
    createEvent: () => createEvent(null, 0, 0, null),
    setEvent: (event) => void setEvent(event),
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A UTF-16 text that ends in NUL. */
function wideString(bytes: Buffer, at: number): string {
  let end = at;
  while (end + 1 < bytes.length && bytes.readUInt16LE(end) !== 0) end += 2;
  return bytes.toString('utf16le', at, end);
}
