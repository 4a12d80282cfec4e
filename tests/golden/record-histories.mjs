// Records workflow histories as golden fixtures, one each: node tests/golden/record-histories.mjs NAME=WORKFLOW_ID ...
// as in self-play-run.v2=tiny-1 iteration.v1=tiny-1/iteration-1 seeding-run.v1=seeding-tiny-1. Old fixtures stay.
// AZR_DATA_DIR names the data folder of the stack that holds the run. Stored as protocol-buffer bytes in base64; what
// identifies a machine is left out.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { loadStackConfig, resolveAddresses } from '../../dist/src/config/stack.js';

const wanted = process.argv.slice(2).map((text) => text.split('='));
if (wanted.length === 0 || wanted.some(([name, id]) => !name || !id))
  throw new Error('usage: record-histories.mjs NAME=WORKFLOW_ID ...');
const addresses = await resolveAddresses(await loadStackConfig());
const connection = await Connection.connect({ address: addresses.temporalAddress });
const client = new Client({ connection, namespace: addresses.temporalNamespace });
const { History } = proto.temporal.api.history.v1;
for (const [name, workflowId] of wanted) {
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  for (const event of history.events)
    for (const attributes of Object.values(event))
      if (typeof attributes === 'object' && attributes !== null && 'identity' in attributes) attributes.identity = '';
  const text = Buffer.from(History.encode(history).finish()).toString('base64').replace(/.{1,100}/g, '$&\n');
  writeFileSync(path.join(import.meta.dirname, 'histories', `${name}.base64`), text);
  console.log(`${name}: ${history.events.length} events`);
}
await connection.close();
