/** Whether root alone can change a file: what a service runs as root must not be anybody else's to write. */
import { firstForeign } from '../../app/path-owners.ts';

/** The sentence that says who else can change this file or a folder above it; null: nobody. */
export function notOnlyRoots(file: string): string | null {
  if (process.platform === 'win32') return null;
  const foreign = firstForeign(file, [0]);
  if (foreign === null) return null;
  const { path, uid } = foreign;
  return uid === null
    ? `Others may write in ${path}`
    : `${path} belongs to another account than root (uid ${uid})`;
}
