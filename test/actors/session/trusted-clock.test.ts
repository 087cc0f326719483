import { describe, expect, it } from 'vitest';
import {
  firstClock,
  lookAt,
  opensInMs,
  type Reading,
  type TrustedClock,
  trustedMs,
} from '../../../src/actors/session/trusted-clock.ts';
import { HOUR, localText, MINUTE, SECOND, wallMs } from './playing.ts';

const RULES = { starts_at: '00:00', time_zone: 'system' };

/** A clock that is looked at while time passes and the wall is set. */
class Tower {
  reading: Reading;
  clock: TrustedClock;
  readonly told: string[] = [];
  #rules = RULES;

  constructor(wall: string, zone = 'UTC', rules = RULES) {
    this.#rules = rules;
    this.reading = { awakeMs: 0, elapsedMs: 0, wallMs: wallMs(wall, zone), bootId: 'a', zone };
    this.clock = firstClock(this.reading, rules);
  }

  pass(ms: number): this {
    const { elapsedMs, wallMs: wall } = this.reading;
    return this.set({ elapsedMs: elapsedMs + ms, wallMs: wall + ms });
  }

  step(ms: number): this {
    return this.set({ wallMs: this.reading.wallMs + ms });
  }

  boot(wall: string): this {
    return this.set({
      bootId: `${this.reading.bootId}'`,
      elapsedMs: 0,
      wallMs: wallMs(wall, this.reading.zone),
    });
  }

  set(change: Partial<Reading>): this {
    const lastMs = trustedMs(this.clock, this.reading);
    this.reading = { ...this.reading, ...change };
    const look = lookAt(this.clock, lastMs, this.reading, this.#rules);
    this.clock = look.clock;
    for (const c of look.changes)
      this.told.push(c.kind === 'zone' ? `zone ${c.to}` : `step ${c.stepMs / MINUTE}`);
    return this;
  }

  get time(): string {
    return localText(trustedMs(this.clock, this.reading), 'UTC');
  }

  get day(): string {
    return this.clock.day.day;
  }
}

describe('the trusted clock (T1)', () => {
  it('T1: a step over 5 minutes is told at once and not followed', () => {
    const tower = new Tower('2026-01-15T16:00').pass(HOUR).step(6 * MINUTE);
    expect(tower.told).toEqual(['step 6']);
    expect(tower.time).toBe('2026-01-15T17:00:00');
    expect(tower.pass(HOUR).time).toBe('2026-01-15T18:00:00');
    expect(tower.told).toHaveLength(1);
  });

  it('T1: smaller steps are followed at once and not told', () => {
    const tower = new Tower('2026-01-15T16:00').step(4 * MINUTE).step(-6 * MINUTE);
    expect(tower.told).toEqual([]);
    expect(tower.time).toBe('2026-01-15T15:58:00');
  });

  it('T1: small steps are summed over the day', () => {
    const tower = new Tower('2026-01-15T16:00').step(3 * MINUTE).step(3 * MINUTE);
    expect(tower.told).toEqual(['step 3']);
    expect(tower.time).toBe('2026-01-15T16:03:00');
  });

  it('T1: a step is adopted at the next day start of the trusted clock, and only then', () => {
    const tower = new Tower('2026-01-15T16:00').step(2 * HOUR).pass(8 * HOUR - SECOND);
    expect(tower.time).toBe('2026-01-15T23:59:59');
    expect(tower.day).toBe('2026-01-15');
    tower.pass(SECOND);
    expect(tower.time).toBe('2026-01-16T02:00:00');
    expect(tower.day).toBe('2026-01-16');
  });

  it('T1: a change of zone is told at once and adopted at the next day start', () => {
    const tower = new Tower('2026-01-15T16:00', 'Europe/Berlin').set({ zone: 'America/New_York' });
    expect(tower.told).toEqual(['zone America/New_York']);
    expect(opensInMs(tower.clock, tower.reading)).toBe(8 * HOUR);
    tower.pass(8 * HOUR);
    // Midnight in Berlin is 18:00 in New York: the same day goes on there, until its own midnight.
    expect(tower.day).toBe('2026-01-15');
    expect(tower.pass(6 * HOUR).day).toBe('2026-01-16');
  });

  it('T1: a zone that the configuration names does not care for the system zone', () => {
    const rules = { starts_at: '00:00', time_zone: 'Europe/Berlin' };
    const tower = new Tower('2026-01-15T16:00', 'UTC', rules).set({ zone: 'America/New_York' });
    expect(tower.told).toEqual([]);
    expect(tower.pass(7 * HOUR).day).toBe('2026-01-16');
  });

  it('T1: sleep counts as elapsed, whether the agent runs or not', () => {
    expect(new Tower('2026-01-15T16:00').pass(10 * HOUR).day).toBe('2026-01-16');
  });

  it('T1: after a boot the wall clock is taken if it is later', () => {
    const tower = new Tower('2026-01-15T16:00').boot('2026-01-17T09:00');
    expect(tower.time).toBe('2026-01-17T09:00:00');
    expect(tower.told).toEqual([]);
  });

  it('T1: after a boot an earlier wall clock is not taken, and far behind it is told', () => {
    const tower = new Tower('2026-01-15T16:00').boot('2026-01-15T15:58');
    expect(tower.time).toBe('2026-01-15T16:00:00');
    expect(tower.told).toEqual([]);
    tower.boot('2026-01-14T09:00');
    expect(tower.time).toBe('2026-01-15T16:00:00');
    expect(tower.told).toHaveLength(1);
  });

  it('T1: no series of small steps and boots leads back before the last boot', () => {
    const tower = new Tower('2026-01-15T16:00');
    for (let i = 0; i < 10; i++)
      tower
        .boot('2026-01-15T15:57')
        .step(-2 * SECOND)
        .pass(SECOND);
    expect(tower.time >= '2026-01-15T16:00:00').toBe(true);
  });

  it('T1: a clock that goes back to right is told as well, and followed again', () => {
    const tower = new Tower('2026-01-15T16:00')
      .step(-2 * HOUR)
      .pass(HOUR)
      .step(2 * HOUR);
    expect(tower.told).toEqual(['step -120', 'step 120']);
    expect(tower.step(MINUTE).time).toBe('2026-01-15T17:01:00');
  });

  it('T1: a small step back over the day start does not open yesterday again', () => {
    const tower = new Tower('2026-01-15T23:59').pass(2 * MINUTE).step(-4 * MINUTE);
    expect(tower.day).toBe('2026-01-16');
    expect(tower.time).toBe('2026-01-16T00:00:00');
  });

  it('T1: steps forward do not open days faster than days pass', () => {
    const tower = new Tower('2026-01-15T12:00');
    const days = new Set([tower.day]);
    // Each midnight the wall stands at 23:00 already: an hour later the next day would open.
    for (let hour = 0; hour < 24 * 5; hour++) {
      tower.pass(HOUR).step(23 * HOUR);
      days.add(tower.day);
    }
    expect(days.size).toBeLessThanOrEqual(1 + Math.ceil((24 * 5) / 20));
  });

  it('T1: nor does a sleep over day starts with the wall set forward', () => {
    const tower = new Tower('2026-01-15T12:00');
    const days = new Set([tower.day]);
    for (let night = 0; night < 10; night++) {
      tower.step(23 * HOUR).pass(18 * HOUR);
      for (let hour = 0; hour < 6; hour++) days.add(tower.pass(HOUR).day);
    }
    expect(days.size).toBeLessThanOrEqual(1 + Math.ceil((24 * 10) / 20));
  });

  it('T2: a day that was slept over far into, or that the PC was off for, is followed by the next at its start', () => {
    const late = {
      asleep: (tower: Tower) => tower.pass(21 * HOUR),
      'asleep for days': (tower: Tower) => tower.pass(3 * 24 * HOUR + 21 * HOUR),
      off: (tower: Tower) => tower.boot('2026-01-16T18:00'),
    };
    for (const [how, come] of Object.entries(late)) {
      const tower = come(new Tower('2026-01-15T21:00'));
      const { day } = tower;
      expect(opensInMs(tower.clock, tower.reading), how).toBe(6 * HOUR);
      expect(tower.pass(6 * HOUR - SECOND).day, how).toBe(day);
      expect(tower.pass(SECOND).day > day, how).toBe(true);
    }
  });

  it('T2: another day start in the configuration holds at once', () => {
    const tower = new Tower('2026-01-15T03:00');
    const { clock } = lookAt(tower.clock, tower.reading.wallMs, tower.reading, {
      ...RULES,
      starts_at: '04:00',
    });
    expect(clock.day.day).toBe('2026-01-14');
  });
});
