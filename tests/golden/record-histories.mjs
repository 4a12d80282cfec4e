// Records the histories of a small run as golden fixtures: node tests/golden/record-histories.mjs RUN
// AZR_DATA_DIR names the data folder of the stack that holds the run. Stored as protocol-buffer bytes in base64; what
// identifies a machine is left out.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { loadStackConfig, resolveAddresses } from '../../dist/src/config/stack.js';

const [run] = process.argv.slice(2);
if (run === undefined) throw new Error('usage: record-histories.mjs RUN');
const addresses = await resolveAddresses(await loadStackConfig());
const connection = await Connection.connect({ address: addresses.temporalAddress });
const client = new Client({ connection, namespace: addresses.temporalNamespace });
const { History } = proto.temporal.api.history.v1;
for (const [workflowId, name] of [
  [run, 'self-play-run'],
  [`${run}/iteration-1`, 'iteration'],
]) {
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  for (const event of history.events)
    for (const attributes of Object.values(event))
      if (typeof attributes === 'object' && attributes !== null && 'identity' in attributes) attributes.identity = '';
  const text = Buffer.from(History.encode(history).finish()).toString('base64').replace(/.{1,100}/g, '$&\n');
  writeFileSync(path.join(import.meta.dirname, 'histories', `${name}.v1.base64`), text);
  console.log(`${name}: ${history.events.length} events`);
}
await connection.close();
