/** C4, C5 from outside: a start that is interrupted, a disk that takes nothing, and outputs that nobody reads. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const STACK = /^\s+at .+:\d+:\d+/m;

let root = '';
let running: ChildProcess[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-start-'));
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running = [];
  rmSync(root, { recursive: true, force: true });
});

type Output = 'pipe' | number;

/** `playwarden run` on a directory below the test's own, behind a wrapper if there is one. */
class Run {
  stdout = '';
  stderr = '';
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(wrapper: readonly string[] = [], outputs: readonly [Output, Output] = ['pipe', 'pipe']) {
    const [file = '', ...args] = [...wrapper, process.execPath, CLI, 'run', '--port', '0'];
    this.#child = spawn(file, [...args, '--data-dir', join(root, 'data')], { stdio: ['ignore', ...outputs] });
    running.push(this.#child);
    this.#child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until it said something like that, or throws what it said. */
  async says(where: 'stdout' | 'stderr', what: RegExp): Promise<void> {
    const gone = this.ended.then((code) => {
      throw new Error(`it ended with ${code}: ${this.stderr}`);
    });
    gone.catch(() => {});
    while (!what.test(this[where])) {
      await Promise.race([gone, new Promise((resolve) => this.#child[where]?.once('data', resolve))]);
    }
  }
}

describe('C4: signals in the middle of the start', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it with 0 and leaves no agent.json', async (signal) => {
    const agent = new Run();
    await agent.says('stderr', /session started/);
    agent.signal(signal);
    expect(await agent.ended).toBe(0);
    expect(existsSync(join(root, 'data/agent.json'))).toBe(false);
  });

  test('SIGHUP does not end it: it is a reload once the agent serves', async () => {
    const agent = new Run();
    await agent.says('stderr', /session started/);
    agent.signal('SIGHUP');
    await agent.says('stdout', /playwarden ready/);
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(0);
  });
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'C4: a %s in the middle of the stop, up to the last moment of the process, leaves the exit code at 0',
  async (again) => {
    const agent = new Run();
    await agent.says('stdout', /playwarden ready/);
    agent.signal('SIGTERM');
    const repeating = setInterval(() => agent.signal(again), 1);
    expect(await agent.ended.finally(() => clearInterval(repeating))).toBe(0);
  },
);

describe('an output that takes nothing does not end the agent', () => {
  test.each([
    ['standard error', (full: number): [Output, Output] => ['pipe', full]],
    ['standard output', (full: number): [Output, Output] => [full, 'pipe']],
  ])('C2: %s on a full disk', async (_name, outputs) => {
    const full = openSync('/dev/full', 'w');
    const agent = new Run([], outputs(full));
    closeSync(full);
    await Promise.race([
      agent.says('stdout', /playwarden ready/),
      agent.says('stderr', /standard output takes nothing/),
    ]);
    expect(existsSync(join(root, 'data/agent.json'))).toBe(true);
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(0);
  });
});

test('C5: an agent.json that cannot be written ends with 74, and nothing goes on running', async () => {
  mkdirSync(join(root, 'data/agent.json'), { recursive: true, mode: 0o700 });
  const agent = new Run();
  expect(await agent.ended).toBe(74);
  expect(agent.stderr).toMatch(/agent\.json cannot be written/);
  expect(agent.stderr).not.toMatch(STACK);
});

/** A shell in a mount namespace of its own, where only root may make a small disk that goes with the process. */
const onDisk = (script: string) => ['unshare', '-m', 'sh', '-c', script, root];
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

describe.runIf(canMount)('C5: a disk that takes nothing', () => {
  test.each([
    ['read-only', 'mount -t tmpfs -o ro,mode=755 tmpfs "$0"'],
    [
      'read-only in a directory that is there',
      'mount -t tmpfs -o mode=755 tmpfs "$0" && mkdir -m 711 "$0/data" && mount -o remount,ro "$0"',
    ],
    [
      'full',
      'mount -t tmpfs -o size=64k,mode=755 tmpfs "$0" && mkdir "$0/data" && head -c 99999 /dev/zero >"$0/fill" 2>/dev/null',
    ],
  ])('a first start on one that is %s ends with 74 and one sentence', async (_name, mount) => {
    const agent = new Run(onDisk(`${mount}; exec "$@"`));
    expect(await agent.ended).toBe(74);
    expect(agent.stderr).toMatch(/EROFS|ENOSPC/);
    expect(agent.stderr).not.toMatch(STACK);
    expect(agent.stdout).toBe('');
  });

  test('a start that finds no room for agent.json says to free some, and no line of the log has a stack trace', async () => {
    const agent = new Run(onDisk('mount -t tmpfs -o size=124k,mode=755 tmpfs "$0"; exec "$@"'));
    expect(await agent.ended).toBe(74);
    expect(agent.stderr).toMatch(/agent\.json cannot be written \(ENOSPC\): free some room on its disk\.\n$/);
    expect(agent.stderr).toMatch(/"msg":"the agent did not stop cleanly"/);
    expect(agent.stderr).not.toMatch(/"stack"/);
  });

  test('D10: an agent starts again on a disk that was filled', async () => {
    const agent = new Run(
      onDisk(`mount -t tmpfs -o size=20m,mode=755 tmpfs "$0"
        "$@" >"$0/out" 2>/dev/null & first=$!
        until grep -q ready "$0/out"; do sleep 0.05; done
        until test -s "$0/data/disk-reserve"; do sleep 0.05; done
        kill $first; wait $first
        cat /dev/zero >"$0/fill" 2>/dev/null
        exec "$@"`),
    );
    await agent.says('stdout', /playwarden ready/);
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(0);
  });
});

test.runIf(canMount)('C5: without /proc there is nothing to see: 69 and one sentence', async () => {
  const agent = new Run(['unshare', '-m', 'sh', '-c', 'umount -l /proc && exec "$@"', 'sh']);
  expect(await agent.ended).toBe(69);
  expect(agent.stderr).toMatch(/^\/proc\/sys\/kernel\/random\/boot_id cannot be read \(ENOENT\): .*\n$/);
});

test.runIf(process.getuid?.() === 0)(
  'C4 C5: a token file that cannot be read is refused and told at a reload, and ends a start with 78',
  async () => {
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    chownSync(root, 65534, 65534);
    const agent = new Run(asNobody);
    await agent.says('stdout', /playwarden ready/);
    const token = join(root, 'data/control.token');
    chmodSync(token, 0);
    agent.signal('SIGHUP');
    await agent.says('stderr', /the last good one stays in force/);
    expect(agent.stderr).toContain(`run \\"chmod 600 ${token}\\"`);
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(0);
    const next = new Run(asNobody);
    expect(await next.ended).toBe(78);
    expect(next.stderr).toBe(`${token} cannot be read (EACCES): run "chmod 600 ${token}".\n`);
  },
);

describe('C5: a file system without what a database needs', () => {
  const hasStrace = spawnSync('strace', ['-V']).status === 0;

  test.runIf(hasStrace)('shared memory: 74, and what to do', async () => {
    const shm = join(root, 'data/playwarden.db-shm');
    const trace = ['strace', '-f', '-qq', '-o', '/dev/null', '-P', shm, '-e', 'trace=mmap'];
    const agent = new Run([...trace, '-e', 'inject=mmap:error=ENODEV']);
    expect(await agent.ended).toBe(74);
    expect(agent.stderr).toMatch(/file system has no shared memory .* local disk with --data-dir/);
    expect(agent.stderr).not.toMatch(STACK);
  });

  test.runIf(process.platform === 'linux')('locks: 74, and not that another agent runs', async () => {
    const library = join(root, 'no-locks.so');
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, '-x', 'c', '-'], { input: NO_LOCKS });
    const agent = new Run(['env', `LD_PRELOAD=${library}`]);
    expect(await agent.ended).toBe(74);
    expect(agent.stderr).toMatch(/lock\.db cannot be locked: its file system has no locks/);
    expect(readdirSync(join(root, 'data'))).toEqual(['lock.db']);
  });
});

/** Locks of files answered as by NFS without its lock service. */
const NO_LOCKS = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int answer(const char *name, int fd, int cmd, void *arg) {
  int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
  if (cmd == F_SETLK || cmd == F_SETLKW) { errno = ENOLCK; return -1; }
  return real(fd, cmd, arg);
}
#define WRAP(name) \\
  int name(int fd, int cmd, ...) { \\
    va_list list; \\
    va_start(list, cmd); \\
    void *arg = va_arg(list, void *); \\
    va_end(list); \\
    return answer(#name, fd, cmd, arg); \\
  }
WRAP(fcntl)
WRAP(fcntl64)
`;

describe.runIf(process.getuid?.() === 0)('C6: the home directory', () => {
  test.each(['', 'somewhere'])('HOME=%j is none: 78, and nothing in the working directory', async (home) => {
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const child = spawnSync(asNobody[0] ?? '', [...asNobody.slice(1), process.execPath, CLI, 'run'], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: home },
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('This account has no home directory: name a place with --data-dir.\n');
    expect(child.status).toBe(78);
    expect(readdirSync(root)).toEqual([]);
  });
});
