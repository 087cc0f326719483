/** UUIDv7 (RFC 9562): the wall time in ms, then a counter that keeps ids of one ms in order, then random bits. */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
const RANDOM_BYTES = 8;

/** Returns a generator whose ids sort in the order they were made, even when the clock stands or steps back. */
export function uuidv7Generator(): (wallMs: number) => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  let lastMs = 0;
  let counter = 0;
  return (wallMs) => {
    const now = Math.floor(wallMs);
    if (now > lastMs) {
      lastMs = now;
      counter = 0;
    } else if (++counter > 0xfff) {
      lastMs++;
      counter = 0;
    }
    if (used + RANDOM_BYTES > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const random = pool.toString('hex', used, used + RANDOM_BYTES);
    used += RANDOM_BYTES;
    const time = lastMs.toString(16).padStart(12, '0');
    const variant = ((Number.parseInt(random.charAt(0), 16) & 3) | 8).toString(16);
    const count = counter.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${variant}${random.slice(1, 4)}-${random.slice(4)}`;
  };
}
