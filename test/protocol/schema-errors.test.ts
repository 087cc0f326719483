/** What a person reads when something does not fit: the path, and what is expected there. */
import { describe, expect, test } from 'vitest';
import { COMMAND_PARAMETERS } from '../../src/protocol/commands.ts';
import { helloFrame } from '../../src/protocol/frames.ts';
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
