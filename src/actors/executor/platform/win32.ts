/**
 * The Win32 calls that closing needs, through koffi, behind an interface that tests replace. Structures are read
 * from plain buffers (x64 and arm64 layout).
 */
import koffi from 'koffi';

export type Handle = number | bigint;

export interface Win32 {
  processes(): { readonly pid: number; readonly parentPid: number }[];
  /** null: it is gone, or these rights are not ours. While it is open the pid is not given out again. */
  open(pid: number, rights: 'query' | 'terminate'): Handle | null;
  close(handle: Handle): void;
  hasExited(handle: Handle): boolean;
  /** 100 ns since 1601 in decimal: the `startKey` on Windows. */
  creationTime(handle: Handle): string | null;
  imagePath(handle: Handle): string | null;
  commandLine(handle: Handle): string | null;
  /** false: refused. */
  terminate(handle: Handle): boolean;
  /** Posts WM_CLOSE to the visible top-level windows of a process; says how many took it. */
  closeWindows(pid: number): number;
}

const QUERY = 0x1000 | 0x10_0000; // PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE
const TERMINATE = QUERY | 0x1;
const TH32CS_SNAPPROCESS = 0x2;
const INVALID_HANDLE = 0xffff_ffff_ffff_ffffn;
/** ProcessCommandLineInformation, Windows 8.1 and later. */
const COMMAND_LINE_INFORMATION = 60;
const WM_CLOSE = 0x10;
/** What a terminated game tells as its exit code. */
const EXIT_CODE = 1;

// PROCESSENTRY32W
const ENTRY_BYTES = 568;
const ENTRY_PID = 8;
const ENTRY_PARENT = 32;

const PATH_MAX_CHARS = 32_768;
const COMMAND_MAX_BYTES = 65_536 + 16;

export function loadWin32(): Win32 {
  const kernel32 = koffi.load('kernel32.dll');
  const user32 = koffi.load('user32.dll');
  const ntdll = koffi.load('ntdll.dll');

  const createSnapshot = kernel32.func(
    'uintptr_t __stdcall CreateToolhelp32Snapshot(uint32_t flags, uint32_t pid)',
  );
  const firstEntry = kernel32.func('int __stdcall Process32FirstW(uintptr_t snapshot, void *entry)');
  const nextEntry = kernel32.func('int __stdcall Process32NextW(uintptr_t snapshot, void *entry)');
  const openProcess = kernel32.func(
    'uintptr_t __stdcall OpenProcess(uint32_t access, int inherit, uint32_t pid)',
  );
  const closeHandle = kernel32.func('int __stdcall CloseHandle(uintptr_t handle)');
  const terminate = kernel32.func('int __stdcall TerminateProcess(uintptr_t process, uint32_t code)');
  const wait = kernel32.func('uint32_t __stdcall WaitForSingleObject(uintptr_t handle, uint32_t ms)');
  const times = kernel32.func(
    'int __stdcall GetProcessTimes(uintptr_t process, void *created, void *exited, void *kernel, void *user)',
  );
  const image = kernel32.func(
    'int __stdcall QueryFullProcessImageNameW(uintptr_t process, uint32_t flags, void *name, void *size)',
  );
  const query = ntdll.func(
    'int32_t __stdcall NtQueryInformationProcess(uintptr_t process, uint32_t what, void *out, uint32_t size, void *used)',
  );
  const windowProc = koffi.proto('int __stdcall PlaywardenEnumWindows(uintptr_t window, intptr_t unused)');
  const enumWindows = user32.func('EnumWindows', 'int', [koffi.pointer(windowProc), 'intptr_t']);
  const ownerOf = user32.func('uint32_t __stdcall GetWindowThreadProcessId(uintptr_t window, void *pid)');
  const isVisible = user32.func('int __stdcall IsWindowVisible(uintptr_t window)');
  const post = user32.func(
    'int __stdcall PostMessageW(uintptr_t window, uint32_t message, uintptr_t wparam, intptr_t lparam)',
  );

  function windowsOf(pid: number): Handle[] {
    const found: Handle[] = [];
    const owner = Buffer.alloc(4);
    enumWindows((window: Handle) => {
      ownerOf(window, owner);
      if (owner.readUInt32LE(0) === pid && isVisible(window)) found.push(window);
      return 1;
    }, 0);
    return found;
  }

  return {
    processes() {
      const snapshot: Handle = createSnapshot(TH32CS_SNAPPROCESS, 0);
      if (BigInt(snapshot) === INVALID_HANDLE) throw new Error('the list of processes cannot be taken');
      try {
        const found: { pid: number; parentPid: number }[] = [];
        const entry = Buffer.alloc(ENTRY_BYTES);
        entry.writeUInt32LE(ENTRY_BYTES, 0);
        for (let more = firstEntry(snapshot, entry); more; more = nextEntry(snapshot, entry)) {
          found.push({ pid: entry.readUInt32LE(ENTRY_PID), parentPid: entry.readUInt32LE(ENTRY_PARENT) });
        }
        return found;
      } finally {
        closeHandle(snapshot);
      }
    },
    open(pid, rights) {
      const handle: Handle = openProcess(rights === 'query' ? QUERY : TERMINATE, 0, pid);
      return BigInt(handle) === 0n ? null : handle;
    },
    close: (handle) => void closeHandle(handle),
    hasExited: (handle) => wait(handle, 0) === 0,
    creationTime(handle) {
      const created = Buffer.alloc(8);
      const other = Buffer.alloc(8);
      return times(handle, created, other, other, other) ? String(created.readBigUInt64LE(0)) : null;
    },
    imagePath(handle) {
      const name = Buffer.alloc(PATH_MAX_CHARS * 2);
      const size = Buffer.alloc(4);
      size.writeUInt32LE(PATH_MAX_CHARS);
      return image(handle, 0, name, size) ? name.toString('utf16le', 0, size.readUInt32LE(0) * 2) : null;
    },
    commandLine(handle) {
      // UNICODE_STRING (16 bytes), then its text in the same buffer.
      const text = Buffer.alloc(COMMAND_MAX_BYTES);
      if (query(handle, COMMAND_LINE_INFORMATION, text, text.length, Buffer.alloc(4)) < 0) return null;
      return text.toString('utf16le', 16, 16 + text.readUInt16LE(0));
    },
    terminate: (handle) => terminate(handle, EXIT_CODE) !== 0,
    closeWindows: (pid) => windowsOf(pid).filter((window) => post(window, WM_CLOSE, 0, 0)).length,
  };
}
