/** Calls of the service manager: what it says, and one that hangs. */
import { describe, expect, test } from 'vitest';
import { must, output } from '../../src/cli/service/manager.ts';

const node = (script: string) => [process.execPath, '-e', script] as const;

describe('the service manager', () => {
  test('what it printed is read; of one that fails nothing is', async () => {
    expect(await output(node("console.log('active')"))).toBe('active\n');
    expect(await output(node('process.exit(3)'))).toBeNull();
    expect(await output(['/nonexistent/systemctl'])).toBeNull();
  });

  test('one that fails is told with its own words', async () => {
    await expect(must(node("console.error('no such unit'); process.exit(5)"))).rejects.toThrow(
      /failed: no such unit$/,
    );
    await must(node(''));
  });

  test('one that hangs is given up, and told with what it said', async () => {
    const hangs = node("console.error('waiting for the disk'); setInterval(() => {}, 1_000)");
    expect(await output(hangs, 500)).toBeNull();
    await expect(must(hangs, 1_000)).rejects.toThrow(
      /failed: it did not end within 1 s(: waiting for the disk)?$/,
    );
  });
});
