/** Whether the running agent asks for signatures (contract K5), found out without anything being carried out. */
import { AgentApi, AgentError } from '../client/agent-api.ts';
import { findEndpoint } from '../client/discover.ts';

const REQUEST_MS = 5_000;
/** A child that nobody has: even where no token is asked for, the command ends here. */
const NOBODY = 'playwarden-nobody';

/**
 * An unsigned command under the view token is refused in any case: for its signature where parent keys are in
 * force, for its token or its child where none is. Costs one count of `rejected_signatures` in the status.
 */
export async function parentKeysInForce(dataDir: string): Promise<boolean> {
  const resolve = () => findEndpoint(dataDir, 'view');
  const api = new AgentApi((url, init) => fetch(url, init), resolve, 'command-line');
  try {
    await api.command({ command: 'resume', child_profile: NOBODY }, AbortSignal.timeout(REQUEST_MS));
  } catch (error) {
    return error instanceof AgentError && error.slug === 'signature-required';
  }
  return false;
}
