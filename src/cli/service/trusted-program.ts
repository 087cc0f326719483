/** Whether root alone can change a file: what a service runs as root must not be anybody else's to write. */
import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';

/** Others may write in such a folder but not replace what is not theirs. */
const STICKY = 0o1000;

/** The sentence that says who else can change this file or a folder above it; null: nobody. */
export function notOnlyRoots(file: string): string | null {
  if (process.platform === 'win32') return null;
  for (let path = file; ; path = dirname(path)) {
    const { uid, mode } = lstatSync(path);
    if (uid !== 0) return `${path} belongs to another account than root (uid ${uid})`;
    if (mode & 0o022 && !(mode & STICKY)) return `Others may write in ${path}`;
    if (path === dirname(path)) return null;
  }
}
