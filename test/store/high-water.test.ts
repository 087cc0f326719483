import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HighWaterFile, readHighWater } from '../../src/store/high-water.ts';
import { createSealer } from '../../src/store/seal.ts';
import { tempDirs } from './helpers.ts';

const dir = tempDirs();

it('D11: the first commit of a run ends the settled state that the last run left', () => {
  const path = join(dir(), 'high-water');
  const sealer = createSealer('key');
  const at = { generation: 1, ordinal: 1, epoch: 'e', offset: 0, bootId: 'b', clean: false };
  const first = new HighWaterFile(path, sealer);
  first.write({ ...at, db: null, wal: null, damaged: false, lost: 0, waiting: null }, true);
  first.close();
  expect(readHighWater(path, sealer)).toMatchObject({ settled: true });
  const second = new HighWaterFile(path, sealer);
  second.unsettle();
  second.close();
  expect(readHighWater(path, sealer)).toMatchObject({ settled: false });
});
