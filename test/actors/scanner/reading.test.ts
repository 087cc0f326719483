/** Small readers: accounts, and what games use. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { accountNames, parsePasswd } from '../../../src/actors/scanner/accounts.ts';
import { type PidUsage, usageReader } from '../../../src/actors/scanner/usage.ts';

const dir = mkdtempSync(join(tmpdir(), 'pw-accounts-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe('accounts', () => {
  test('of two names for one uid the first counts; what is no account is skipped', () => {
    const names = parsePasswd(
      'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n# kid\n+::::::\nkid:x:1000:1000::/:\n',
    );
    expect([...names]).toEqual([
      [0, 'root'],
      [1_000, 'kid'],
    ]);
  });

  test('a new account is known once the file has changed; an unknown one is its number', () => {
    const file = join(dir, 'passwd');
    writeFileSync(file, 'kid:x:1000:1000::/:\n');
    const name = accountNames(file);
    expect([name(1_000), name(1_001)]).toEqual(['kid', '1001']);
    writeFileSync(file, 'kid:x:1000:1000::/:\nsis:x:1001:1001::/:\n');
    utimesSync(file, 1, 1);
    expect(name(1_001)).toBe('sis');
    rmSync(file);
    expect(name(1_001)).toBe('1001');
  });

  test('a subordinate uid is its account’s, which may be named by its number', () => {
    const [passwd, subuid] = [join(dir, 'with-subordinates'), join(dir, 'subuid')];
    writeFileSync(passwd, 'kid:x:1000:1000::/:\nsis:x:1001:1001::/:\n');
    const name = accountNames(passwd, subuid);
    expect(name(100_000)).toBe('100000');
    writeFileSync(subuid, '# ranges\nkid:100000:65536\n1001:165536:65536\nghost:231072:1\nkid:x:1\n');
    expect([99_999, 100_000, 165_535, 165_536, 231_072, 231_073].map(name)).toEqual([
      '99999',
      'kid',
      'kid',
      'sis',
      'ghost',
      '231073',
    ]);
    expect(name(1_000)).toBe('kid');
  });

  test('while the file cannot be read the names of before hold, and it is read as soon as it can be', () => {
    const file = join(dir, 'unreadable');
    writeFileSync(file, 'kid:x:1000:1000::/:\n');
    const name = accountNames(file);
    rmSync(file);
    mkdirSync(file);
    utimesSync(file, 2, 2);
    expect(name(1_000)).toBe('kid');
    rmSync(file, { recursive: true });
    writeFileSync(file, 'sis:x:1000:1000::/:\n');
    utimesSync(file, 2, 2);
    expect(name(1_000)).toBe('sis');
  });
});

describe('usage', () => {
  function given(uses: Record<number, number>) {
    let cleared = 0;
    const usage = async (pid: number) => {
      const cpu = uses[pid];
      if (cpu === undefined) throw new Error('No matching pid found');
      return { cpu, memory: 1_024 };
    };
    const clear = () => {
      cleared += 1;
    };
    return {
      read: usageReader(() => Object.assign(usage, { clear }) satisfies PidUsage),
      cleared: () => cleared,
    };
  }

  test('nothing tracked: nothing is asked or loaded', async () => {
    const read = usageReader(() => {
      throw new Error('loaded');
    });
    expect(await read([])).toEqual([]);
  });

  test('one that has ended meanwhile is left out', async () => {
    const { read } = given({ 7: 12.5 });
    expect(
      await read([
        { pid: 7, startKey: 'a' },
        { pid: 8, startKey: 'b' },
      ]),
    ).toEqual([{ pid: 7, cpuPercent: 12.5, rssBytes: 1_024 }]);
  });

  test('a pid that changed hands starts with a clean history', async () => {
    const { read, cleared } = given({ 7: 1 });
    await read([{ pid: 7, startKey: 'a' }]);
    await read([{ pid: 7, startKey: 'a' }]);
    expect(cleared()).toBe(0);
    await read([{ pid: 7, startKey: 'b' }]);
    expect(cleared()).toBe(1);
  });
});
