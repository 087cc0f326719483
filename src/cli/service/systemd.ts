/**
 * The systemd unit: restarted for ever, as root with little of root's power. What it must keep: netlink for process
 * events (CAP_NET_ADMIN), ending a child's game (CAP_KILL), reading which program a process is (CAP_SYS_PTRACE),
 * the machine's own view of /proc and of the network. Pure.
 */
import { runArguments, type ServicePlan, type ServiceProgram, type ServiceState } from './plan.ts';

export const UNIT = 'playwarden.service';
/** What StateDirectory= makes; another place must be allowed by name. */
const STATE_DIRECTORY = '/var/lib/playwarden';

export function systemdPlan(program: ServiceProgram): ServicePlan {
  return {
    kind: 'systemd unit',
    // As sd_booted(3) has it: systemctl alone may be there in a container without its systemd.
    manager: '/run/systemd/system',
    file: `/etc/systemd/system/${UNIT}`,
    text: systemdUnit(program),
    encoding: 'utf8',
    install: [
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', UNIT],
      // Not `enable --now`: an older one that runs takes the new file only this way.
      ['systemctl', 'restart', UNIT],
    ],
    seeWhy: `see why with "journalctl -u ${UNIT}"`,
    remove: [['systemctl', 'disable', '--now', UNIT]],
    afterRemove: [['systemctl', 'daemon-reload']],
    status: ['systemctl', 'show', UNIT, '--property=LoadState,ActiveState,UnitFileState,MainPID,NRestarts'],
    readStatus: readSystemdStatus,
  };
}

export function systemdUnit(program: ServiceProgram): string {
  const command = [program.node, program.cli, ...runArguments(program)].map(quote).join(' ');
  const state =
    program.dataDir === STATE_DIRECTORY
      ? 'StateDirectory=playwarden\nStateDirectoryMode=0711'
      : `ReadWritePaths=${quote(program.dataDir)}`;
  return `# Made by "playwarden service install"; changes belong into "systemctl edit ${UNIT}".
[Unit]
Description=Playwarden, play times of the children on this PC
After=local-fs.target
# Whatever happens, it is started again.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${command}
# One heap of malloc for all threads: an idle agent is 4 MB smaller, and nothing here allocates in parallel.
Environment=MALLOC_ARENA_MAX=1
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=500ms
TimeoutStopSec=6
KillMode=mixed
OOMScoreAdjust=-500
# Before ordinary programs from the first moment; it could not do so itself without CAP_SYS_NICE.
Nice=-10
${state}
UMask=0077

# What it needs of root: process events, closing a child's game, knowing which program a process is.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_KILL CAP_SYS_PTRACE
NoNewPrivileges=yes
# Loopback sockets and netlink; nothing leaves the machine.
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
IPAddressDeny=any
IPAddressAllow=localhost

ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service @pkey
SystemCallErrorNumber=EPERM
# Not set, because it would end it: MemoryDenyWriteExecute (V8 makes code), PrivateNetwork and ProtectProc (they
# hide the processes), PrivateUsers (its rights would end at its own processes).

[Install]
WantedBy=multi-user.target
`;
}

/** An argument as systemd reads it: in quotes, with its own signs of `%` and `$` doubled. */
function quote(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$');
  return /^[A-Za-z0-9/._%:@+=-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** The output of `systemctl show`; null: systemd did not answer. */
export function readSystemdStatus(output: string | null): ServiceState {
  const of = new Map(
    (output ?? '').split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  return {
    installed: of.get('LoadState') === 'loaded',
    running: of.get('ActiveState') === 'active',
    enabled: of.get('UnitFileState') === 'enabled',
    pid: Number(of.get('MainPID')) || null,
    restarts: of.has('NRestarts') ? Number(of.get('NRestarts')) : null,
  };
}
