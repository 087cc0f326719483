/**
 * Loaded into every thread of an agent by `node --require`, for the bench only: at SIGUSR2 each thread appends one line
 * about its own heap to the file that BENCH_HEAPS names. Until then nothing runs.
 */
const { appendFileSync } = require('node:fs');
const { basename } = require('node:path');
const { getHeapStatistics } = require('node:v8');
const { BroadcastChannel, isMainThread } = require('node:worker_threads');

const channel = new BroadcastChannel('bench-heaps');
channel.unref();
channel.onmessage = tell;
if (isMainThread) {
  process.on('SIGUSR2', () => {
    channel.postMessage(null);
    tell();
  });
}

function tell() {
  const { total_physical_size: resident, used_heap_size: used } = getHeapStatistics();
  // A thread's own file; of a pool's thread the pool's.
  const file = basename(process.argv[1] ?? '');
  appendFileSync(process.env.BENCH_HEAPS, `${JSON.stringify({ file, isMainThread, resident, used })}\n`);
}
