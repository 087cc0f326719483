/**
 * The launchd daemon of macOS: started with the machine, kept alive. Written after launchd.plist(5) and not yet
 * tried on a Mac. Pure.
 */
import { runArguments, type ServicePlan, type ServiceProgram, type ServiceState } from './plan.ts';
import { xmlText } from './xml.ts';

const LOG = '/Library/Logs/Playwarden.log';
const LABEL = 'org.playwarden.agent';

export function launchdPlan(program: ServiceProgram): ServicePlan {
  const file = `/Library/LaunchDaemons/${LABEL}.plist`;
  return {
    kind: 'launchd daemon',
    manager: null,
    file,
    text: launchdPlist(program),
    encoding: 'utf8',
    install: [
      ['launchctl', 'bootstrap', 'system', file],
      ['launchctl', 'enable', `system/${LABEL}`],
    ],
    seeWhy: `see why in ${LOG}`,
    remove: [['launchctl', 'bootout', `system/${LABEL}`]],
    afterRemove: [],
    status: ['launchctl', 'print', `system/${LABEL}`],
    readStatus: readLaunchdStatus,
  };
}

export function launchdPlist(program: ServiceProgram): string {
  const args = [program.node, program.cli, ...runArguments(program)]
    .map((arg) => `    <string>${xmlText(arg)}</string>`)
    .join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${args}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>1</integer>
  <key>ExitTimeOut</key>
  <integer>6</integer>
  <key>ProcessType</key>
  <string>Interactive</string>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardErrorPath</key>
  <string>${LOG}</string>
</dict>
</plist>
`;
}

/** The output of `launchctl print`; null: it knows no such service. */
export function readLaunchdStatus(output: string | null): ServiceState {
  const field = (name: string) => new RegExp(`^\\s*${name} = (.+)$`, 'm').exec(output ?? '')?.[1];
  return {
    installed: output !== null,
    running: field('state') === 'running',
    enabled: output !== null,
    pid: Number(field('pid')) || null,
    restarts: null,
  };
}
