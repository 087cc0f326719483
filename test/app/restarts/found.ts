/** What the long form has found, shrunk: runs that the agent, or the model, once got wrong. Each is run first each time. */

/** The seed of the machine, the minutes of child A, and the steps. */
export type Found = readonly [seed: number, limitA: number | null, steps: readonly object[]];

const freeze = (ms: number, ends: number, starts: boolean) => ({ do: 'freeze', ms, ends, starts });
const start = (game: string, user: string, obeys = true) => ({ do: 'start', game, user, obeys });
const end = (which: number, how = 'seen') => ({ do: 'end', which, how });
const pass = (ms: number) => ({ do: 'pass', ms });
const kill = (downMs: number) => ({ do: 'kill', downMs });
const sessionDies = (killed: boolean, downMs: number) => ({ do: 'session dies', killed, downMs });
const scannerDies = (killed: boolean, downMs: number) => ({ do: 'scanner dies', killed, downMs });
const reload = (owners: string) => ({ do: 'reload', owners });
const command = (name: string, child: string, minutes: number, again = false) => ({
  do: 'command',
  command: name,
  child,
  minutes,
  again,
});
const roblox = start('roblox', 'kim');
const minecraft = start('minecraft', 'kim');

export const FOUND: Readonly<Record<'faults' | 'commands' | 'clocks', readonly Found[]>> = {
  faults: [
    // Killed between the telling of a stop and its keeping.
    [0, null, [roblox, pass(1_151), end(0), scannerDies(false, 1), kill(1)]],
    [0, null, [pass(70), roblox, pass(39), freeze(4_000, 0, false), scannerDies(false, 1), end(0), kill(1)]],
    // A play that only the next run finds gone had no session: one of its session had begun later.
    [
      0,
      null,
      [
        pass(78),
        start('roblox', 'tom'),
        { do: 'session hangs', ms: 32, dies: false },
        roblox,
        pass(31),
        freeze(4_000, 7, true),
        sessionDies(false, 5_206),
        pass(5_046),
        kill(12_762),
        start('minecraft', 'tom'),
        end(4, 'lost'),
      ],
    ],
    // A stop that waits is told a second time, by a fresh scanner.
    [
      0,
      null,
      [
        pass(109),
        sessionDies(false, 7_014),
        roblox,
        end(0),
        start('minecraft', 'tom'),
        scannerDies(false, 39),
        pass(7_158),
        roblox,
        pass(3),
        kill(22_028),
        pass(8_978),
        start('roblox', 'tom'),
        start('minecraft', 'tom', false),
      ],
    ],
  ],
  commands: [
    // Another child's since a moment at which the agent was down: nobody knows which.
    [
      211_642_008,
      null,
      [reload('BA'), roblox, roblox, pass(97), reload('AB'), kill(1_545), roblox, pass(1), roblox],
    ],
    // The stop for the one child waits, and a fresh scanner gives it to the other.
    [
      714_939_842,
      null,
      [
        pass(358),
        { do: 'session hangs', ms: 50, dies: true },
        roblox,
        roblox,
        scannerDies(false, 1),
        reload('BA'),
        start('roblox', 'tom'),
      ],
    ],
    // A game that only the next run finds began before the session it was put into.
    [
      0,
      null,
      [
        roblox,
        pass(1_141),
        kill(17),
        roblox,
        pass(42),
        reload('AB'),
        command('extend_time', 'A', 3),
        start('roblox', 'tom', false),
        sessionDies(true, 7_330),
        start('minecraft', 'kim', false),
        end(0, 'lost'),
        pass(26),
        sessionDies(false, 7_840),
        reload('BA'),
        command('force_close', 'B', 1, true),
        start('minecraft', 'tom'),
        pass(2_078),
        scannerDies(false, 11),
        minecraft,
      ],
    ],
  ],
  clocks: [
    // Heard of after a stop of the agent, it began before its session did.
    [
      0,
      null,
      [
        pass(99),
        minecraft,
        pass(10),
        reload('BA'),
        scannerDies(false, 1),
        roblox,
        minecraft,
        freeze(4_000, 7, true),
        pass(132),
        { do: 'step', ms: -3_600_000 },
        kill(1),
      ],
    ],
    // Time is up on two days within a minute of play.
    [
      52_042_398,
      null,
      [
        command('set_time_limit', 'A', 2),
        pass(367),
        roblox,
        end(0, 'lost'),
        pass(4_315),
        start('roblox', 'tom'),
        kill(48),
        kill(18_791),
        pass(11_849),
        roblox,
        pass(8),
        freeze(288_276, 4, true),
        minecraft,
        pass(22),
        { do: 'sleep', ms: 620_436 },
        sessionDies(true, 798),
        pass(69),
        end(3),
        sessionDies(true, 36),
        scannerDies(true, 2_748),
      ],
    ],
    // A stop that waits through a stop of the agent, when times cannot be read.
    [
      0,
      null,
      [
        pass(71),
        sessionDies(false, 1),
        roblox,
        pass(38),
        reload('BA'),
        pass(1),
        freeze(5_300, 0, false),
        roblox,
        { do: 'sleep', ms: 1 },
        sessionDies(false, 1),
      ],
    ],
  ],
};
