/** What a run leaves to the scanner of the next one: both clocks of one moment (T3). */
import { describe, expect, it } from 'vitest';
import { lastClocks } from '../../../src/actors/session/last-clocks.ts';
import { HOUR, KID, MINUTE, machine } from './playing.ts';

describe('the clocks that a run read last', () => {
  it('T3: a sleep is in them at once, whether somebody plays or not', () => {
    for (const plays of [false, true]) {
      const pc = machine();
      if (plays) pc.start('roblox', KID);
      pc.advance(MINUTE);
      pc.suspend(8 * HOUR);
      pc.agentDown();
      const { awakeMs, elapsedMs } = pc.reading();
      expect(lastClocks(pc.ledger().state.clock, 'boot-1')).toEqual({ awakeMs, elapsedMs });
    }
  });

  it('those of another boot, and what does not hold, are none', () => {
    expect(lastClocks(machine().ledger().state.clock, 'boot-2')).toBe(null);
    for (const clock of [undefined, null, 7, {}, { reading: null }, { reading: { bootId: 'boot-1' } }])
      expect(lastClocks(clock, 'boot-1')).toBe(null);
  });
});
