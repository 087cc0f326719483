/** Our actor: echoes messages, answers calls. */
import { runActor } from '../../src/runtime/host.ts';

export interface EchoCalls {
  echo(value: number): number;
}

runActor<null, number, number, EchoCalls>((host) => ({
  receive: (message) => host.post(message),
  calls: { echo: (value) => value },
  stop() {},
}));
