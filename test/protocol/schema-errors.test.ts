/** What a person reads when something does not fit: the path, and what is expected there. */
import { describe, expect, test } from 'vitest';
import { dayRange } from '../../src/app/usage.ts';
import { COMMAND_PARAMETERS, commandEnvelope } from '../../src/protocol/commands.ts';
import { commandFrame, helloFrame } from '../../src/protocol/frames.ts';
import { usageQuery } from '../../src/protocol/http.ts';
import { fieldErrors } from '../../src/protocol/schema-errors.ts';

describe('S6: of alternatives the one that was meant says what is wrong', () => {
  const minutes = (value: unknown) =>
    fieldErrors(COMMAND_PARAMETERS.set_time_limit.safeParse({ minutes: value }).error?.issues ?? []);
  const resume = (value: unknown) =>
    fieldErrors(helloFrame.safeParse({ type: 'hello', resume: value }).error?.issues ?? []);

  test.each(['x', true, {}, undefined])('set_time_limit minutes %j is none of the three', (value) => {
    expect(minutes(value)).toEqual([
      { path: 'minutes', message: 'must be a number of minutes, null for no limit, or "config"' },
    ]);
  });

  test('a number out of range says so', () => {
    expect(minutes(-1)).toMatchObject([{ path: 'minutes', message: expect.stringMatching(/>=\s?0/) }]);
  });

  test('a position with a fault names the fault, anything else both forms', () => {
    expect(resume({ epoch: 'e' })).toMatchObject([{ path: 'resume.offset' }]);
    expect(resume({ epoch: 'e', offset: 1.5 })).toMatchObject([{ path: 'resume.offset' }]);
    expect(resume('later')).toEqual([{ path: 'resume', message: 'must be {"epoch", "offset"} or "now"' }]);
  });
});

describe('S6: what is told can be mended by its reader', () => {
  // What other languages write by themselves for a local time, and other forms of ISO 8601.
  test.each([
    '2099-01-01T00:00:00',
    '2099-01-01T00:00Z',
    '2099-01-01',
    '2099-01-01T00:00:00+0200',
    '20990101T000000Z',
  ])('expires_at %s is told which form is taken', (expires_at) => {
    expect(
      fieldErrors(commandEnvelope.safeParse({ command: 'resume', expires_at }).error?.issues ?? []),
    ).toEqual([
      {
        path: 'expires_at',
        message: expect.stringContaining('with seconds and a zone, like 2026-08-11T10:35:00Z'),
      },
    ]);
  });

  test.each(['2099-01-01T00:00:00Z', '2099-01-01T00:00:00.123456+02:00'])(
    'expires_at %s is taken',
    (expires_at) => {
      expect(commandEnvelope.safeParse({ command: 'resume', expires_at }).success).toBe(true);
    },
  );

  test.each(['2026-8-1', '2026-02-30', '2026-08-11T00:00:00Z', ''])('from=%s is no day', (from) => {
    expect(fieldErrors(usageQuery.safeParse({ from }).error?.issues ?? [])).toEqual([
      { path: 'from', message: 'must be a day of the calendar, like 2026-08-11' },
    ]);
  });

  test('a day whose week begins before the year 1 is refused, since its days could not be told', () => {
    expect(fieldErrors(usageQuery.safeParse({ to: '0000-01-01' }).error?.issues ?? [])).toEqual([
      { path: 'to', message: 'must be 0001-01-07 or later' },
    ]);
    expect(usageQuery.safeParse({ to: '0001-01-07' }).success).toBe(true);
    expect(dayRange(undefined, '0001-01-07', '2026-08-11')).toEqual({ from: '0001-01-01', to: '0001-01-07' });
  });

  test('a command without its payload', () => {
    expect(fieldErrors(commandFrame.safeParse({ type: 'command' }).error?.issues ?? [])).toEqual([
      { path: 'payload', message: 'is missing' },
    ]);
  });
});
