/** Runs a program under strace and gives back what it did to the files of one directory, in order. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { basename, dirname } from 'node:path';
import { createInterface } from 'node:readline';

/** What happened to the disk. `since`: a sync covers what was done before this operation, since it began there. */
export type Operation =
  | { readonly kind: 'create'; readonly name: string }
  | { readonly kind: 'write'; readonly name: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly name: string; readonly size: number }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'sync'; readonly name: string; readonly since: number }
  | { readonly kind: 'sync directory'; readonly since: number }
  /** What the program wrote to its standard output. */
  | { readonly kind: 'output'; readonly text: string };

const CALLS =
  'openat,write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,copy_file_range';

/** Traces one run; its operations are put behind those of the runs before. */
export async function traced(
  command: readonly string[],
  {
    dir,
    traceFile,
    before,
    preload,
  }: {
    readonly dir: string;
    readonly traceFile: string;
    readonly before: Operation[];
    /** A library that the program is run with (LD_PRELOAD). */
    readonly preload?: string | undefined;
  },
): Promise<void> {
  const args = [
    '-f',
    '--seccomp-bpf',
    '-y',
    '-xx',
    '-s',
    '4000000',
    '-e',
    'signal=none',
    '-o',
    traceFile,
    '-e',
    `trace=${CALLS}`,
    ...(preload === undefined ? [] : ['-E', `LD_PRELOAD=${preload}`]),
  ];
  const child = spawn('strace', [...args, ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, UV_USE_IO_URING: '0' },
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  const reader = new TraceReader(dir, before);
  for await (const line of createInterface({ input: createReadStream(traceFile) })) reader.line(line);
}

interface Begun {
  readonly text: string;
  readonly since: number;
}

class TraceReader {
  readonly #dir: string;
  readonly #operations: Operation[];
  /** Calls that have begun and not returned, by thread. */
  readonly #begun = new Map<string, Begun>();
  /** Where the next `write` of a descriptor goes. */
  readonly #at = new Map<string, number>();

  constructor(dir: string, operations: Operation[]) {
    this.#dir = dir;
    this.#operations = operations;
  }

  line(line: string): void {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const since = this.#operations.length;
    if (rest.endsWith('<unfinished ...>')) {
      this.#begun.set(thread, { text: rest.slice(0, -'<unfinished ...>'.length), since });
      return;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const begun = resumed ? this.#begun.get(thread) : undefined;
    this.#begun.delete(thread);
    this.#call(resumed ? `${begun?.text ?? ''}${resumed[1]}` : rest, begun?.since ?? since);
  }

  #call(text: string, since: number): void {
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(text) ?? [];
    if (Number(result) < 0) return;
    const [, fd = '', path = ''] = /^(\d+)<([^>]*)>/.exec(args) ?? [];
    const target = unescaped(path).toString();
    const strings = [...args.matchAll(/"([^"]*)"/g)].map(([, s = '']) => s);
    const numbers = args
      .slice(args.lastIndexOf('"') + 1)
      .split(',')
      .map((s) => Number(s));
    switch (name) {
      case 'openat':
        this.#opened(unescaped(strings[0] ?? '').toString(), args, result);
        return;
      case 'write':
        if (fd === '1')
          this.#operations.push({ kind: 'output', text: unescaped(strings[0] ?? '').toString() });
        else this.#write(target, this.#at.get(fd) ?? 0, strings[0] ?? '', Number(result), fd);
        return;
      case 'pwrite64':
        this.#write(target, numbers.at(-1) ?? 0, strings[0] ?? '', Number(result), null);
        return;
      case 'ftruncate':
        this.#on(target, (file) => ({ kind: 'truncate', name: file, size: Number(args.split(',').at(-1)) }));
        return;
      case 'fsync':
      case 'fdatasync':
        if (target === this.#dir) this.#operations.push({ kind: 'sync directory', since });
        else this.#on(target, (file) => ({ kind: 'sync', name: file, since }));
        return;
      case 'rename':
      case 'renameat':
      case 'renameat2': {
        const [from = '', to = ''] = strings.map((s) => unescaped(s).toString());
        this.#on(from, (file) => ({ kind: 'rename', name: file, to: basename(to) }));
        return;
      }
      case 'unlink':
      case 'unlinkat':
        this.#on(unescaped(strings[0] ?? '').toString(), (file) => ({ kind: 'unlink', name: file }));
        return;
      default:
        // writev, fallocate and the like: the store has no use for them, and the images would be wrong.
        this.#on(target, () => {
          throw new Error(`the replay knows no ${name}`);
        });
    }
  }

  #opened(path: string, args: string, fd: string): void {
    this.#at.set(fd, 0);
    if (args.includes('O_CREAT')) this.#on(path, (name) => ({ kind: 'create', name }));
    if (args.includes('O_TRUNC')) this.#on(path, (name) => ({ kind: 'truncate', name, size: 0 }));
  }

  #write(path: string, at: number, text: string, length: number, fd: string | null): void {
    const bytes = unescaped(text).subarray(0, length);
    if (fd !== null) this.#at.set(fd, at + length);
    if (path.startsWith(this.#dir) && bytes.length !== length)
      throw new Error('strace has cut a write short');
    this.#on(path, (name) => ({ kind: 'write', name, at, bytes }));
  }

  /** Only files of the directory; the `-shm` is memory that SQLite makes anew. */
  #on(path: string, operation: (name: string) => Operation): void {
    if (dirname(path) !== this.#dir || path.endsWith('-shm')) return;
    this.#operations.push(operation(basename(path)));
  }
}

/** `\x2f\x74` as bytes. */
function unescaped(text: string): Buffer {
  return text.startsWith('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex') : Buffer.from(text);
}
