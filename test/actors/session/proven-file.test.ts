import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openProvenFile } from '../../../src/actors/session/proven-file.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'playwarden-proven-'));
  path = join(folder, 'last-proven');
});
afterEach(() => rmSync(folder, { recursive: true }));

const moment = (awakeMs: number) => ({ bootId: 'b', awakeMs, nowMs: 1e12 + awakeMs });

it('E1: the last moment written is what the next life reads; the file is ours alone and does not grow', () => {
  const first = openProvenFile(path);
  expect(first.read()).toBeNull();
  first.write(moment(123_456.789));
  const { size } = statSync(path);
  first.write(moment(9));
  expect(statSync(path).size).toBe(size);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  // No close: a life may end at any moment.
  const second = openProvenFile(path);
  expect(second.read()).toEqual(moment(9));
  first.close();
  second.close();
});

it('what is no moment is none, and is written over', () => {
  for (const content of ['', 'x', 'null', '{"bootId":"b"}', readFileSync('/bin/sh').subarray(0, 5_000)]) {
    writeFileSync(path, content);
    const file = openProvenFile(path);
    expect(file.read()).toBeNull();
    file.close();
  }
});

it('a place that cannot be written to, or none at all, is no harm', () => {
  for (const nowhere of [join(folder, 'not', 'there'), folder, undefined]) {
    const file = openProvenFile(nowhere);
    file.write(moment(1));
    expect(file.read()).toBeNull();
    file.close();
  }
});
