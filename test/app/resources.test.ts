/** What the agent says it costs. */
import { expect, test } from 'vitest';
import { createResourceMeter } from '../../src/app/resources.ts';

test('while its memory cannot be read the last figure holds', () => {
  let broken = false;
  const meter = createResourceMeter(
    () => 0,
    () => {
      if (broken) throw new Error('EMFILE: too many open files, uv_resident_set_memory');
      return 7;
    },
  );
  expect(meter().rss_bytes).toBe(7);
  broken = true;
  expect(meter().rss_bytes).toBe(7);
});
