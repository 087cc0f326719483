/** Which implementation closes processes on which platform; each is loaded only where it is used. */
import type { ProcessControl } from '../process-control.ts';

const made = new Map<NodeJS.Platform, Promise<ProcessControl>>();

export function platformControl(platform: NodeJS.Platform): Promise<ProcessControl> {
  const control = made.get(platform) ?? make(platform);
  made.set(platform, control);
  return control;
}

async function make(platform: NodeJS.Platform): Promise<ProcessControl> {
  if (platform === 'linux') return (await import('./linux.ts')).loadLinuxControl();
  if (platform === 'win32') return (await import('./windows.ts')).windowsControl();
  return (await import('./ps.ts')).psControl();
}
