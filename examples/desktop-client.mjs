// A desktop client in some lines: node examples/desktop-client.mjs DATA_DIR. Prints what happens, confirms each session as a
// relay to Firebase would, and goes on where it stopped when it is started again. Build the agent first (npm ci).
import { AgentError, connect } from 'playwarden/client';

const connection = await connect(
  { dataDir: process.argv[2] ?? '/var/lib/playwarden' },
  {
    clientId: 'example',
    onGap: ({ lost, reason }) => console.log(`lost ${lost ?? 'an unknown number of'} events: ${reason}`),
  },
);
connection.onState(({ status, transport, reason }) => console.log(status, transport ?? '', reason ?? ''));
process.once('SIGINT', () => connection.close());

/** True once the agent has answered: it may be away for longer than confirmSync() asks. A refusal stays one. */
async function confirm(sessionId) {
  while (connection.state.status !== 'stopped') {
    try {
      await connection.confirmSync(sessionId);
      return true;
    } catch (error) {
      console.log(`${sessionId} is not confirmed: ${error.message}`);
      if (error instanceof AgentError && error.status < 500) return true;
    }
  }
  return false;
}

for await (const event of connection) {
  console.log(event.meta.offset, event.type, event.event_type ?? '', JSON.stringify(event.data));
  // Here the relay sends `event.data.data` to Firebase, and confirms once it is there.
  if (event.type === 'firebase_sync_request' && !(await confirm(event.data.data.session_id))) break;
  // Stored: it does not come again. What cannot be stored now is tried again by itself.
  await event.ack().catch((error) => console.log(`the position is not stored: ${error.message}`));
}
