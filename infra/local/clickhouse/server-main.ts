/** The embedded ClickHouse as a process: --port P --data DIR. Says `clickhouse ready` and ends on SIGTERM. */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startEmbeddedClickHouse } from './server.js';

const { values } = parseArgs({ options: { port: { type: 'string' }, data: { type: 'string' } } });
const port = Number(values.port);
if (values.data === undefined || !Number.isInteger(port) || port < 0 || port > 65535) {
  process.stderr.write('usage: server-main --port 0..65535 --data DIR\n');
  process.exit(2);
}
mkdirSync(values.data, { recursive: true });
const server = await startEmbeddedClickHouse(values.data, port);
process.stdout.write(`clickhouse ready on ${server.port}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    void server.close().then(() => process.exit(0));
  });
