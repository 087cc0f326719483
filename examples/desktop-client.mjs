// A desktop client in some lines: node examples/desktop-client.mjs DATA_DIR. Prints what happens, confirms each session as a
// relay to Firebase would, and goes on where it stopped when it is started again. Build the agent first (npm ci).
import { connect } from 'playwarden/client';

const connection = await connect(
  { dataDir: process.argv[2] ?? '/var/lib/playwarden' },
  {
    clientId: 'example',
    onGap: ({ lost, reason }) => console.log(`lost ${lost ?? 'an unknown number of'} events: ${reason}`),
  },
);
connection.onState(({ status, transport, reason }) => console.log(status, transport ?? '', reason ?? ''));
process.once('SIGINT', () => connection.close());

for await (const event of connection) {
  console.log(event.meta.offset, event.type, event.event_type ?? '', JSON.stringify(event.data));
  // Here the relay sends `event.data.data` to Firebase, and confirms once it is there.
  if (event.type === 'firebase_sync_request') await connection.confirmSync(event.data.data.session_id);
  // Stored: it does not come again.
  await event.ack();
}
