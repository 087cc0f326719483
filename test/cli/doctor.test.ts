/** What the doctor makes of the facts: a verdict each, and a remedy for everything that is a problem. */
import { describe, expect, test } from 'vitest';
import { plain } from '../../src/cli/columns.ts';
import { doctorText } from '../../src/cli/doctor/doctor.ts';
import {
  type AgentFacts,
  type FileFacts,
  type Finding,
  judgeAccount,
  judgeClock,
  judgeConfig,
  judgeDelivery,
  judgeDetection,
  judgeFiles,
  judgeHealth,
  judgePlace,
  judgePort,
  judgeSelfTest,
  judgeService,
  judgeStore,
} from '../../src/cli/doctor/judge.ts';

const well: AgentFacts = {
  version: '0.1.0',
  uptime_seconds: 60,
  source: 'proc-events',
  health: [],
  configuration: { refused: null },
  store: { ok: true, unsynced: 0, waiting: 0 },
  actors: { scanner: { state: 'running', restarts: 0 }, session: { state: 'running', restarts: 0 } },
};
const refused: AgentFacts = {
  ...well,
  health: ['The configuration was refused.'],
  configuration: { refused: { file: '/d/config.json', problems: [] } },
};
const token: FileFacts = { path: '/d/control.token', most: 0o600, mode: 0o100600, uid: 0 };
const service = { kind: 'systemd unit', installed: true, enabled: true, running: true, pid: 7, restarts: 0 };
const both = { websocket: true, polling: true };
const GB = 1024 ** 3;

const cases: readonly [title: string, verdict: Finding['verdict'], finding: Finding][] = [
  ['a healthy agent', 'ok', judgeHealth(well)],
  ['a degraded agent', 'problem', judgeHealth({ ...well, health: ['The scanner is restarting.'] })],
  ['a configuration refused at a reload', 'problem', judgeHealth(refused)],
  [
    'an actor that was restarted',
    'note',
    judgeHealth({ ...well, actors: { scanner: { state: 'running', restarts: 2 } } }),
  ],
  ['a configuration that holds', 'ok', judgeConfig('/d/config.json', [])],
  ['no configuration of its own', 'ok', judgeConfig(null, [])],
  ['a configuration that does not hold', 'problem', judgeConfig('/d/config.json', ['games: none', 'x: y'])],
  ['a port for the agent', 'ok', judgePort(8001, [])],
  ['a port that another program has', 'problem', judgePort(8001, ['127.0.0.1'])],
  ['a control token for its owner', 'ok', judgeFiles([token], 0)],
  ['a control token that others can read', 'problem', judgeFiles([{ ...token, mode: 0o100644 }], 0)],
  ['a token file of another account', 'problem', judgeFiles([{ ...token, uid: 1000 }], 0)],
  ['a token file that is gone', 'problem', judgeFiles([{ ...token, mode: null, uid: null }], 0)],
  ['a token that the agent takes', 'ok', judgeFiles([{ ...token, token: 'taken' }], 0)],
  ['a token file that holds no token', 'problem', judgeFiles([{ ...token, token: 'malformed' }], 0)],
  ['a token that the agent refuses', 'problem', judgeFiles([{ ...token, token: 'refused' }], 0)],
  ['rights that cannot be seen', 'note', judgeFiles([], null)],
  ['a data directory that is safe where it is', 'ok', judgePlace(null)],
  [
    'a data directory that could be replaced',
    'problem',
    judgePlace({ said: 'others may write in /srv', remedy: 'run "chmod go-w /srv"' }),
  ],
  ['a clock that agrees', 'ok', judgeClock(-40)],
  ['a clock some seconds off', 'note', judgeClock(9_000)],
  ['a clock set back by an hour', 'problem', judgeClock(-3_600_000)],
  ['a clock set ahead by an hour', 'problem', judgeClock(3_600_000)],
  ['a database that takes writes', 'ok', judgeStore(well, GB)],
  ['a database on a disk nobody can measure', 'ok', judgeStore(well, null)],
  ['a database that does not', 'problem', judgeStore({ ...well, store: { ...well.store, ok: false } }, GB)],
  [
    'events that wait for the disk',
    'problem',
    judgeStore({ ...well, store: { ...well.store, waiting: 3 } }, GB),
  ],
  ['a disk that is nearly full', 'problem', judgeStore(well, 5_000_000)],
  ['kernel events on Linux', 'ok', judgeDetection(well, 'linux')],
  ['polling on Linux', 'note', judgeDetection({ ...well, source: 'procfs' }, 'linux')],
  ['a list of processes on macOS', 'ok', judgeDetection({ ...well, source: 'ps-list' }, 'darwin')],
  ['a list of processes on Windows', 'note', judgeDetection({ ...well, source: 'ps-list' }, 'win32')],
  ['no detection', 'problem', judgeDetection({ ...well, source: null }, 'linux')],
  ['a welcome', 'ok', judgeDelivery({ over: 'websocket', lastOffset: 12, tookMs: 3 }, both)],
  ['no welcome', 'problem', judgeDelivery('Unexpected server response: 503', both)],
  [
    'a WebSocket that is switched off',
    'note',
    judgeDelivery({ over: 'polling', lastOffset: 12, tookMs: 3 }, { websocket: false, polling: true }),
  ],
  ['no answer to a poll', 'problem', judgeDelivery('socket hang up', { websocket: false, polling: true })],
  ['both switched off', 'note', judgeDelivery('404', { websocket: false, polling: false })],
  ['a self-test seen through', 'ok', judgeSelfTest({ detectedMs: 2, closedMs: 9, reportedMs: 12 })],
  [
    'a self-test not detected',
    'problem',
    judgeSelfTest({ detectedMs: null, closedMs: null, reportedMs: null }),
  ],
  ['a self-test not closed', 'problem', judgeSelfTest({ detectedMs: 2, closedMs: null, reportedMs: null })],
  ['a self-test not reported', 'problem', judgeSelfTest({ detectedMs: 2, closedMs: 9, reportedMs: null })],
  ['no self-test', 'note', judgeSelfTest('not done')],
  ['an agent of root', 'ok', judgeAccount(0)],
  ['an agent of an account', 'note', judgeAccount(1000)],
  ['an agent of nobody knows whom', 'note', judgeAccount(null)],
  ['a service', 'ok', judgeService(service, 7)],
  ['a service that runs another agent', 'note', judgeService(service, 8)],
  ['no service', 'problem', judgeService({ ...service, installed: false }, 7)],
  ['a service that is not enabled', 'problem', judgeService({ ...service, enabled: false }, 7)],
  ['a service that does not run', 'problem', judgeService({ ...service, running: false }, 7)],
  ['no service manager', 'note', judgeService(null, 7)],
];

describe('a finding', () => {
  test.each(cases)('%s: %s', (_title, verdict, finding) => {
    expect(finding.verdict).toBe(verdict);
    expect(finding.said).not.toBe('');
  });

  test('has a remedy wherever it is a problem', () => {
    for (const [title, verdict, { remedy }] of cases)
      if (verdict === 'problem') expect([title, remedy]).toEqual([title, expect.stringMatching(/\w/)]);
  });

  test('a file with too many rights names the command that mends it', () => {
    expect(judgeFiles([{ ...token, mode: 0o100666 }], 0).remedy).toContain('chmod 600 /d/control.token');
  });

  test('C4: where a refused configuration is the problem nobody is told that a restart is harmless', () => {
    expect(judgeHealth(refused).remedy).toBe(
      'playwarden config check /d/config.json; then playwarden reload',
    );
  });

  test('a file with fewer rights than it may have is well', () => {
    expect(judgeFiles([{ ...token, most: 0o711, mode: 0o40700 }], 0).verdict).toBe('ok');
  });
});

test('the table puts a remedy under what it mends, and counts the problems', () => {
  const findings: Finding[] = [
    { check: 'agent', verdict: 'ok', said: 'pid 7' },
    { check: 'clock', verdict: 'problem', said: 'is off', remedy: 'set it right' },
  ];
  expect(doctorText(findings, plain)).toBe(
    [
      'agent  ok       pid 7',
      'clock  problem  is off',
      '                → set it right',
      '',
      'One problem.',
    ].join('\n'),
  );
  expect(doctorText(findings.slice(0, 1), plain)).toContain('All is well.');
});
