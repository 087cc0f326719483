/** C4: what came of the reloads, as the status tells it. */
import { expect, test } from 'vitest';
import { createReloads } from '../../src/app/reloads.ts';

const REFUSAL = { file: '/d/config.json', problems: [{ path: 'games', message: 'none' }] };

test('a refusal is trouble until the next reload that holds', () => {
  const reloads = createReloads();
  expect(reloads.trouble()).toBeNull();
  reloads.refused(REFUSAL);
  expect(reloads.trouble()).toContain('/d/config.json');
  expect(reloads.status()).toEqual({ reloads: 1, reloading: false, not_reloaded: [], refused: REFUSAL });
  reloads.taken(['port'])();
  expect(reloads.trouble()).toBeNull();
  expect(reloads.status()).toEqual({ reloads: 2, reloading: false, not_reloaded: ['port'], refused: null });
});

test('one that is refused while the one before comes into force stays refused', () => {
  const reloads = createReloads();
  const inForce = reloads.taken([]);
  expect(reloads.status()).toMatchObject({ reloads: 1, reloading: true });
  reloads.refused(REFUSAL);
  inForce();
  expect(reloads.status()).toMatchObject({ reloads: 2, reloading: false, refused: REFUSAL });
});
