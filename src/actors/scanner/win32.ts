/**
 * The few Win32 calls that detection needs, through koffi, behind an interface that tests replace. Handles are
 * numbers here and belong to whoever opened them. Structures are read from plain buffers (x64 and arm64 layout).
 * The list of processes is what Toolhelp makes its snapshots from: it tells when each started, of those too that
 * are not ours to open, in one call.
 */
import { createRequire } from 'node:module';

export interface SnapshotEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** The executable's base name. */
  readonly name: string;
  /** When it started: 100 ns since 1601 in decimal. */
  readonly startKey: string;
}

export type Handle = number | bigint;

export interface Win32 {
  /** All processes. Throws when the snapshot fails. */
  snapshot(): SnapshotEntry[];
  /** null: it is gone, or not ours to open. The handle keeps the pid from being given out again. */
  open(pid: number): Handle | null;
  close(handle: Handle): void;
  /** When it started, as in a snapshot; null: not readable. */
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

const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000;
const SYNCHRONIZE = 0x10_0000;
const TOKEN_QUERY = 0x8;
const TOKEN_USER = 1;
/** ProcessCommandLineInformation, Windows 8.1 and later. */
const COMMAND_LINE_INFORMATION = 60;
const WAIT_OBJECT_0 = 0;
/** WaitForMultipleObjects takes no more. */
export const WAIT_MAX = 64;

const SYSTEM_PROCESS_INFORMATION = 5;
const STATUS_INFO_LENGTH_MISMATCH = 0xc000_0004 | 0;
/** Room for processes that start between the two calls. */
const SNAPSHOT_SLACK_BYTES = 64 * 1024;

// SYSTEM_PROCESS_INFORMATION
const ENTRY_NEXT = 0;
const ENTRY_THREADS = 4;
const ENTRY_CREATED = 32;
const ENTRY_NAME_BYTES = 56;
const ENTRY_NAME_POINTER = 64;
const ENTRY_PID = 80;
const ENTRY_PARENT = 88;
/** What Wine tells as the start of a process that it lists before it has started. */
const NOT_STARTED = 0x5555_5555_5555_5555n;

const PATH_MAX_CHARS = 32_768;
const COMMAND_MAX_BYTES = 65_536 + 16;

/** Throws where there is no Windows. */
export function loadWin32(): Win32 {
  if (process.platform !== 'win32') throw new Error('this is not Windows');
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const kernel32 = koffi.load('kernel32.dll');
  const advapi32 = koffi.load('advapi32.dll');
  const ntdll = koffi.load('ntdll.dll');

  const querySystem = ntdll.func(
    'int32_t __stdcall NtQuerySystemInformation(uint32_t what, void *out, uint32_t size, _Out_ uint32_t *needed)',
  );
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

  let list = Buffer.alloc(SNAPSHOT_SLACK_BYTES);
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
      for (;;) {
        const needed = [0];
        const status: number = querySystem(SYSTEM_PROCESS_INFORMATION, list, list.length, needed);
        if (status === 0) break;
        if (status !== STATUS_INFO_LENGTH_MISMATCH) throw new Error('the list of processes cannot be taken');
        list = Buffer.alloc((needed[0] ?? 0) + SNAPSHOT_SLACK_BYTES);
      }
      return [...snapshotEntries(list, koffi.address(list))];
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

/**
 * A chain of entries; the name of each stands behind it, at an address inside of the same bytes. One without a
 * thread has ended, and is there only because somebody holds a handle to it.
 */
function* snapshotEntries(list: Buffer, address: bigint): Generator<SnapshotEntry> {
  for (let at = 0, next = 1; next !== 0; at += next) {
    next = list.readUInt32LE(at + ENTRY_NEXT);
    const created = list.readBigUInt64LE(at + ENTRY_CREATED);
    if (list.readUInt32LE(at + ENTRY_THREADS) === 0 || created === NOT_STARTED) continue;
    const nameBytes = list.readUInt16LE(at + ENTRY_NAME_BYTES);
    const nameAt = nameBytes === 0 ? 0 : Number(list.readBigUInt64LE(at + ENTRY_NAME_POINTER) - address);
    yield {
      pid: list.readUInt32LE(at + ENTRY_PID),
      parentPid: list.readUInt32LE(at + ENTRY_PARENT),
      name: list.toString('utf16le', nameAt, nameAt + nameBytes),
      startKey: String(created),
    };
  }
}
