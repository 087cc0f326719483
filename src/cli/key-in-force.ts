/** Whether the running agent takes commands of a key (contract K5), found out without anything being carried out. */
import { AgentApi, AgentError } from '../client/agent-api.ts';
import { findEndpoint } from '../client/discover.ts';
import { nodeFetch } from '../client/node-fetch.ts';

const REQUEST_MS = 5_000;
const ED25519_SIGNATURE_BYTES = 64;

/** `unknown`: the agent gave no answer, or one that says nothing about the key. */
export type InForce = 'yes' | 'no' | 'unknown';

/**
 * Sends a command whose signature cannot hold, under the name of this key (its RFC 7638 thumbprint): a key that the
 * agent knows did not make it, one that it does not know is a stranger's. Costs one count of `rejected_signatures`.
 */
export async function keyInForce(dataDir: string, thumbprint: string): Promise<InForce> {
  const api = new AgentApi(nodeFetch, () => findEndpoint(dataDir, 'view'), 'command-line');
  const header = JSON.stringify({ alg: 'EdDSA', kid: thumbprint });
  const parts = [Buffer.from(header), Buffer.from('{}'), Buffer.alloc(ED25519_SIGNATURE_BYTES)];
  const jws = parts.map((part) => part.toString('base64url')).join('.');
  try {
    await api.command({ jws }, AbortSignal.timeout(REQUEST_MS));
  } catch (error) {
    const slug = error instanceof AgentError ? error.slug : null;
    if (slug === 'signature-invalid') return 'yes';
    if (slug === 'signature-wrong-key') return 'no';
  }
  return 'unknown';
}
