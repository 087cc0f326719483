import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { simulate } from '../../../src/actors/session/simulate.ts';
import { DEFAULT_CONFIG } from '../../../src/protocol/config.ts';
import { parseScenario, type Scenario } from '../../../src/protocol/scenario.ts';
import { config, KID, MINUTE } from './playing.ts';

const EXAMPLES = new URL('../../../examples/scenarios/', import.meta.url);

function scenario(document: object): Scenario {
  const parsed = parseScenario({ starts: '2026-11-28T09:00', ...document }, config());
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.scenario;
}

function errors(steps: unknown, more: object = {}) {
  const parsed = parseScenario({ starts: '2026-11-28T09:00', steps, ...more }, config());
  return parsed.ok ? [] : parsed.errors;
}

describe('the simulator', () => {
  it('says what would happen, when and why', () => {
    const steps = [{ at: '09:30', start: 'roblox' }];
    const { events, usage, status } = simulate(config({ daily_limit_minutes: 20 }), scenario({ steps }));
    expect(events.map((e) => `${e.at.slice(11)} ${e.what}`)).toEqual([
      '09:30:00 start',
      '09:30:00 session_started',
      '09:35:00 time_limit_warning',
      '09:45:00 time_limit_warning',
      '09:49:00 time_limit_warning',
      '09:50:00 time_limit_exceeded',
      '09:50:30 close',
      '09:50:41 session_end',
    ]);
    expect(events.at(-2)).toMatchObject({
      kind: 'close',
      child: KID,
      sentence: 'Roblox was closed at 09:50: 20 of 20 minutes used today.',
      why: { rule: 'day' },
    });
    expect(usage.find((row) => row.game === '')?.usedMs).toBe(20.5 * MINUTE + 1_000);
    expect(status.children[KID]).toMatchObject({ playing: false, remaining_minutes: 0 });
  });

  it('a game that cannot be closed is never said to be closed', () => {
    const steps = [{ at: '09:30', start: 'roblox', obeys: false }];
    const { events, status } = simulate(
      config({ daily_limit_minutes: 10, warn_minutes: [] }),
      scenario({ steps, ends: '2026-11-28T09:43' }),
    );
    expect(events.map((e) => e.what)).toEqual([
      'start',
      'session_started',
      'time_limit_exceeded',
      'close_failed',
      'close_failed',
      'close_failed',
    ]);
    expect(status.children[KID]?.playing).toBe(true);
  });

  it('what a parent does is told in words', () => {
    const command = (name: string, parameters?: object) => ({ at: '10:00', command: name, parameters });
    const steps = [
      command('extend_time', { minutes: 1 }),
      command('extend_time', { minutes: 15, game: 'minecraft' }),
      command('set_time_limit', { minutes: 90 }),
      command('set_time_limit', { minutes: null }),
      command('set_time_limit', { minutes: 'config', game: 'roblox' }),
      command('pause', { minutes: 60 }),
      command('pause'),
      command('resume'),
    ];
    const { events } = simulate(config(), scenario({ steps }));
    expect(events.map((e) => e.sentence)).toEqual([
      'a parent adds 1 minute',
      'a parent adds 15 minutes of minecraft',
      'a parent sets the daily limit to 90 minutes',
      'a parent lifts the daily limit',
      'a parent sets the daily limit of roblox back to what is configured',
      'a parent pauses play for 60 minutes',
      'a parent pauses play until it is resumed',
      'a parent resumes play',
    ]);
  });

  it('times are those of an honest clock, whatever is done to the one of the PC', () => {
    const steps = [
      { at: '10:00', clock_minutes: -180 },
      { at: '10:05', suspend_minutes: 55 },
      { at: '11:30', reboot_minutes: 10 },
      { at: '12:00', start: 'roblox' },
      { at: '12:10', stop: 'roblox' },
    ];
    const { events } = simulate(config(), scenario({ steps }));
    expect(events.filter((e) => e.kind === 'scenario').map((e) => e.at.slice(11, 16))).toEqual([
      '10:00',
      '11:00',
      '11:40',
      '12:00',
      '12:10',
    ]);
  });

  it('a time of day is the next one after the step before; repeated days go on from there', () => {
    const steps = [
      { at: '23:40', start: 'roblox' },
      { at: '00:20', stop: 'roblox' },
    ];
    const { usage } = simulate(config(), scenario({ steps, repeat_days: 3 }));
    expect(usage.filter((row) => row.game === '').map((row) => [row.day, row.usedMs / MINUTE])).toEqual([
      ['2026-11-28', 20],
      ['2026-11-29', 40],
      ['2026-11-30', 40],
      ['2026-12-01', 20],
    ]);
  });

  it('every example is valid under the default configuration and ends', () => {
    for (const file of readdirSync(EXAMPLES)) {
      const parsed = parseScenario(JSON.parse(readFileSync(new URL(file, EXAMPLES), 'utf8')), DEFAULT_CONFIG);
      expect(parsed, file).toMatchObject({ ok: true });
      if (parsed.ok)
        expect(simulate(DEFAULT_CONFIG, parsed.scenario).events.length, file).toBeGreaterThan(10);
    }
  });

  it("a month of a child's play in under a second", () => {
    const document = JSON.parse(readFileSync(new URL('school-month.json', EXAMPLES), 'utf8'));
    const month = scenario(document);
    simulate(DEFAULT_CONFIG, { ...month, repeatDays: 2 });
    // Of the processor's time: what else runs on the machine is not the simulator's.
    const from = process.cpuUsage();
    simulate(DEFAULT_CONFIG, month);
    expect(process.cpuUsage(from).user / 1_000).toBeLessThan(1_000);
  });
});

describe('bad scenarios', () => {
  it('each mistake is told with its path, all at once', () => {
    const steps = [
      { at: '25:00', start: 'roblox' },
      { at: '10:00', start: 'doom' },
      { at: '10:00', start: 'roblox', child: 'nobody' },
      { at: '10:00', command: 'extend_time', parameters: { minutes: 0 } },
      { at: '10:00', zone: 'Mars/Olympus' },
      { at: '10:00' },
      { at: '10:00', start: 'roblox', stop: 'roblox' },
      { at: '10:00', stop: 'roblox', colour: 'red' },
      'x',
    ];
    expect(errors(steps, { zone: 'nowhere', weekday: 'sat' }).map((e) => e.path)).toEqual([
      'weekday',
      'zone',
      'steps.0.at',
      'steps.1.start',
      'steps.2.child',
      'steps.3.parameters.minutes',
      'steps.4.zone',
      'steps.5.$',
      'steps.6.$',
      'steps.7.colour',
      'steps.8.$',
    ]);
  });

  it('days that do not exist, that run backwards, or that are years away', () => {
    const step = (at: string) => ({ at, start: 'roblox' });
    expect(
      errors([step('2026-02-30T10:00')], { starts: '2026-04-31T10:00', ends: '2027-02-29T10:00' }),
    ).toEqual([
      { path: 'starts', message: 'names a day that no calendar has' },
      { path: 'ends', message: 'names a day that no calendar has' },
      { path: 'steps.0.at', message: 'names a day that no calendar has' },
    ]);
    const dated = [
      step('2026-11-29T10:00'),
      step('12:00'),
      step('2026-11-28T10:00'),
      step('2126-11-28T10:00'),
    ];
    expect(errors(dated, { ends: '2026-11-27T00:00' }).map((e) => e.path)).toEqual([
      'steps.2.at',
      'steps.3.at',
      'ends',
    ]);
    expect(errors([step('2028-02-29T10:00')], { starts: '2028-02-28T10:00' })).toEqual([]);
  });

  it('a document that is none', () => {
    expect(parseScenario(null, config())).toMatchObject({ ok: false });
    expect(errors([])).toMatchObject([{ path: 'steps' }]);
  });
});
