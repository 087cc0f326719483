/**
 * The start-up task of Windows, as SYSTEM. A task and not a service: node.exe does not answer the service control
 * manager, which would end it after 30 s, and a wrapper that does would be a foreign binary to trust and to keep.
 * Written after the Task Scheduler schema and not yet tried on Windows. Pure.
 */
import { runArguments, type ServicePlan, type ServiceProgram, type ServiceState } from './plan.ts';
import { xmlText } from './xml.ts';

const TASK = '\\Playwarden\\Agent';

export function startUpTaskPlan(program: ServiceProgram): ServicePlan {
  const file = `${program.dataDir}\\start-up-task.xml`;
  return {
    kind: 'start-up task',
    manager: null,
    file,
    text: startUpTask(program),
    encoding: 'utf16le',
    install: [
      ['schtasks', '/Create', '/F', '/TN', TASK, '/XML', file],
      ['schtasks', '/Run', '/TN', TASK],
    ],
    seeWhy: 'see why with "playwarden run"',
    remove: [
      ['schtasks', '/End', '/TN', TASK],
      ['schtasks', '/Delete', '/F', '/TN', TASK],
    ],
    afterRemove: [],
    status: ['schtasks', '/Query', '/TN', TASK, '/XML'],
    readStatus: readStartUpTask,
  };
}

/**
 * Two ways of coming back: the task's own restart after a failure, and a trigger every minute, which a task that
 * runs ignores. The second one holds where the first is known not to: after a kill.
 */
export function startUpTask(program: ServiceProgram): string {
  const args = [program.cli, ...runArguments(program)].map(quote).join(' ');
  return `\uFEFF<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <URI>${TASK}</URI>
    <Description>Playwarden, play times of the children on this PC</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
    <TimeTrigger>
      <Repetition>
        <Interval>PT1M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2026-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="System">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="System">
    <Exec>
      <Command>${xmlText(quote(program.node))}</Command>
      <Arguments>${xmlText(args)}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}

/** An argument as Windows programs split their command line: backslashes before a quote are doubled. */
function quote(text: string): string {
  if (/^[^\s"]+$/.test(text)) return text;
  return `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** The task's XML; null: there is none. Whether it runs stands in no output that is the same in every language. */
export function readStartUpTask(output: string | null): ServiceState {
  const disabled = /<Settings>[\s\S]*<Enabled>false<\/Enabled>/.test(output ?? '');
  return {
    installed: output !== null,
    running: output !== null && !disabled,
    enabled: output !== null && !disabled,
    pid: null,
    restarts: null,
  };
}
