/** From processes to sessions: the cases of the field about who plays what, since when, and until when. */
import { describe, expect, it } from 'vitest';
import { HOUR, KID, kid, MINUTE, machine, SECOND, sessions, told } from './playing.ts';

describe('one session', () => {
  it('E4: started < ended < session_end notification < firebase_sync_request, all of the end in one output', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(told(pc)).toEqual([
      'session_started',
      'session_ended',
      'notification session_end',
      'firebase_sync_request',
    ]);
    expect(pc.outputs.find((o) => o.events.length === 3)).toBeDefined();
  });

  it('E4: a start is answered in the output that tells its session, and also when it makes none', () => {
    const pc = machine();
    pc.start('roblox', KID);
    expect(pc.outputs.find((o) => o.started.length > 0)?.events).toMatchObject([
      { event_type: 'session_started' },
    ]);
    pc.start('roblox', 'nobody');
    expect(pc.outputs.flatMap((o) => [...o.started])).toHaveLength(2);
  });

  it('E1: session_ended comes rejoin_seconds later, its end and minutes are those of the moment it went', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(pid);
    pc.advance(9 * SECOND);
    expect(sessions(pc, 'session_ended')).toEqual([]);
    pc.advance(SECOND);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      {
        session_id: `${KID}_${Date.UTC(2026, 0, 15, 16)}`,
        time_start: '2026-01-15T16:00:00.000Z',
        time_end: '2026-01-15T16:10:00.000Z',
        duration_seconds: 600,
        duration_minutes: 10,
        is_active: false,
        used_minutes_today: 10,
        remaining_minutes: 110,
        limited_by: 'day',
        end_reason: 'exit',
        gaps: [],
      },
    ]);
  });

  it('launcher starts, player starts, launcher exits: the session goes on', () => {
    const pc = machine();
    const launcher = pc.start('roblox', KID);
    pc.advance(5 * SECOND);
    pc.start('roblox', KID);
    pc.stop(launcher);
    pc.advance(HOUR);
    expect(told(pc)).toEqual(['session_started']);
  });

  it('two players (multi-instance), one exits: the session goes on, time is a union', () => {
    const pc = machine();
    const first = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    const second = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(first);
    pc.advance(10 * MINUTE);
    pc.stop(second);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ duration_minutes: 30, used_minutes_today: 30 }]);
  });

  it('E1: a teleport restarts the process within 10 s: the same session, the time between not charged', () => {
    const pc = machine();
    const first = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(first);
    pc.advance(9 * SECOND);
    const second = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(second);
    pc.advance(MINUTE);
    expect(told(pc).filter((t) => t.startsWith('session'))).toEqual(['session_started', 'session_ended']);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { duration_seconds: 1_200, time_end: '2026-01-15T16:20:09.000Z' },
    ]);
  });

  it('E1: a start after rejoin_seconds is another session', () => {
    const pc = machine();
    pc.stop(pc.start('roblox', KID));
    pc.advance(11 * SECOND);
    pc.start('roblox', KID);
    expect(sessions(pc, 'session_started').map((s) => s.session_id)).toHaveLength(2);
  });

  it('a game that lives 5 ms: start and stop are both told', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(5);
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ duration_seconds: 0.005 }]);
  });

  it('E3: a scan that failed is never a stop: the session stays open and is charged', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    for (let i = 0; i < 3; i++) pc.send({ type: 'scan.unknown' });
    pc.advance(10 * MINUTE);
    pc.send({ type: 'scan.known' });
    expect(told(pc)).toEqual(['session_started']);
    expect(kid(pc)).toMatchObject({ playing: true, used_minutes_today: 20 });
  });

  it('a pid that is another program now ended the session; the same pid again is a process of its own', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(MINUTE);
    pc.stop(pid);
    pc.advance(MINUTE);
    pc.start('roblox', KID, { pid });
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_started')).toHaveLength(2);
    expect(kid(pc).used_minutes_today).toBe(2);
  });

  it('a stop of an unknown process, and a start told twice, change nothing', () => {
    const pc = machine();
    pc.send({ type: 'process.stopped', identity: { pid: 1, startKey: 'x' }, endedAwakeMs: null });
    pc.start('roblox', KID);
    pc.rescan();
    expect(told(pc)).toEqual(['session_started']);
  });

  it('E1, T3: a stop that nobody saw ends the session at the last look, which proves that it ran till then', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(65 * SECOND + 400);
    pc.lose(pid);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { duration_seconds: 65, time_end: '2026-01-15T16:01:05.000Z', gaps: [] },
    ]);
  });

  it('E1, T3: so does a game that a replaced scanner does not find any more', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(65 * SECOND + 400);
    pc.send({ type: 'processes.snapshot', processes: [] });
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ duration_seconds: 65 }]);
  });
});

describe('a stop that is heard of late', () => {
  it('T1: what was charged stays charged: the session ends at the last moment that was', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.settle();
    const [member] = pc.state.sessions.values().next().value?.members ?? [];
    pc.send({ type: 'process.stopped', identity: member!, endedAwakeMs: pc.awakeMs - 5 * SECOND });
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { duration_minutes: 10, time_end: '2026-01-15T16:10:00.000Z', used_minutes_today: 10 },
    ]);
  });

  it('what was not charged yet is charged to the moment it went, and no further', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE + 9 * SECOND);
    const [member] = pc.state.sessions.values().next().value?.members ?? [];
    pc.send({ type: 'process.stopped', identity: member!, endedAwakeMs: pc.awakeMs - 5 * SECOND });
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ duration_seconds: 604 }]);
  });
});

describe('several games and children', () => {
  it("two games of one child at once: the child's minutes are the union, each game's its own", () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.start('minecraft', KID);
    pc.advance(10 * MINUTE);
    expect(kid(pc)).toMatchObject({
      used_minutes_today: 20,
      limits: { games: { roblox: { used_minutes_today: 20 }, minecraft: { used_minutes_today: 10 } } },
    });
  });

  it('two games started in the same millisecond have two session ids', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.start('minecraft', KID);
    const ids = sessions(pc, 'session_started').map((s) => s.session_id);
    expect(new Set(ids).size).toBe(2);
    expect(Number(ids[1]?.split('_').at(-1)) - Number(ids[0]?.split('_').at(-1))).toBe(1);
  });

  it('a session id is never given twice: not within one tick of the clock, when sessions of it are over already', () => {
    const pc = machine({}, { games: ['roblox', 'minecraft', 'chess'], sessions: { rejoin_seconds: 0 } });
    for (const game of ['roblox', 'minecraft', 'chess']) pc.stop(pc.start(game, KID));
    const ids = sessions(pc, 'session_started').map((s) => s.session_id);
    expect(new Set(ids).size).toBe(3);
  });

  it("the parent's and the child's accounts both play: only the child's game is charged", () => {
    const pc = machine();
    pc.start('roblox', null);
    pc.advance(10 * MINUTE);
    expect(told(pc)).toEqual([]);
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    expect(kid(pc).used_minutes_today).toBe(10);
  });

  it('the status shows the game that ends first', () => {
    const pc = machine({ games: { minecraft: { daily_limit_minutes: 30 } } });
    pc.start('roblox', KID);
    pc.start('minecraft', KID);
    pc.advance(MINUTE);
    expect(kid(pc)).toMatchObject({
      playing: true,
      game: 'minecraft',
      remaining_minutes: 29,
      limited_by: 'game',
    });
  });
});

describe('found running', () => {
  it('the game was already running when the agent starts: charged from its own start', () => {
    const pc = machine();
    pc.start('roblox', KID, { agoMs: 20 * MINUTE });
    expect(sessions(pc, 'session_started')).toMatchObject([
      { time_start: '2026-01-15T15:40:00.000Z', used_minutes_today: 20 },
    ]);
  });

  it('E1: a moment within a ms is told as its process tells it: cut off, never rounded up', () => {
    const pc = machine();
    pc.start('roblox', KID, { agoMs: 20 * MINUTE + 0.4 });
    const [started] = sessions(pc, 'session_started');
    expect(started?.time_start).toBe('2026-01-15T15:39:59.999Z');
    expect(started?.session_id).toBe(`${KID}_${Date.parse('2026-01-15T15:39:59.999Z')}`);
  });

  it('charged only as far as the ledger does not know it', () => {
    const pc = machine();
    pc.stop(pc.start('roblox', KID, { agoMs: 20 * MINUTE }));
    pc.advance(MINUTE);
    pc.start('roblox', KID, { agoMs: 10 * MINUTE });
    expect(kid(pc).used_minutes_today).toBe(21);
    // Its session begins where the one before ended.
    expect(sessions(pc, 'session_started').at(-1)?.time_start).toBe('2026-01-15T16:00:00.000Z');
    pc.start('minecraft', KID, { agoMs: 30 * MINUTE });
    expect(kid(pc).used_minutes_today).toBe(30);
  });

  it('found from before midnight: each day its part', () => {
    const pc = machine({}, { wall: '2026-01-15T00:20' });
    pc.start('roblox', KID, { agoMs: 40 * MINUTE });
    pc.settle();
    expect(pc.usedMs(KID, '2026-01-14')).toBe(20 * MINUTE);
    expect(pc.usedMs(KID, '2026-01-15')).toBe(20 * MINUTE);
  });
});
