/** Processes that a bench starts: each is ended by its pid, with the bench at the latest. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const owned = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of owned) child.kill('SIGKILL');
});

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  /** The next line of its standard output; rejects when it ends without one. */
  line(): Promise<string>;
  end(): Promise<void>;
}

/** Starts a program whose standard output is read by lines; `ipc` adds Node's channel for messages. */
export function start(file: string, args: readonly string[], { ipc = false, env = {} } = {}): Child {
  const child = spawn(file, args, {
    stdio: ipc ? ['pipe', 'pipe', 'inherit', 'ipc'] : ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    ...(ipc && { serialization: 'advanced' as const }),
  });
  owned.add(child);
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', (code) => resolve(code));
  });
  void exited.then(() => owned.delete(child));
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  const note = () => {
    for (const wake of waiting.splice(0)) wake();
  };
  let over = false;
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      note();
    });
    child.stdout.once('close', () => {
      over = true;
      note();
    });
  }
  child.stdin?.on('error', () => {});
  return {
    pid: child.pid ?? 0,
    process: child,
    exited,
    async line() {
      while (lines.length === 0 && !over) await new Promise<void>((resolve) => waiting.push(resolve));
      const line = lines.shift();
      if (line === undefined) throw new Error(`${file} ended without a word`);
      return line;
    },
    async end() {
      child.stdin?.end();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
