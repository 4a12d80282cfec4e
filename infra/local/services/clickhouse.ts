/** The embedded ClickHouse engine in a process of its own, behind ClickHouse's HTTP interface. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { repositoryRoot } from '../../../src/config/paths.js';
import type { StackState } from '../../../src/config/stack-state.js';
import { httpProbe } from '../probes.js';
import { RESTART, type ProcessSpec } from '../process-spec.js';

export function clickhouseSpec(dataDir: string, { ports }: StackState): ProcessSpec {
  const root = repositoryRoot();
  const folder = path.join(dataDir, 'data', 'clickhouse');
  const url = `http://127.0.0.1:${ports.clickhouse}`;
  return {
    name: 'clickhouse',
    command: process.execPath,
    args: [
      path.join(root, 'dist/infra/local/clickhouse/server-main.js'),
      '--port',
      String(ports.clickhouse),
      '--data',
      folder,
    ],
    env: {},
    cwd: root,
    health: { kind: 'probe', probe: httpProbe(`${url}/ping`, (body) => body.startsWith('Ok')) },
    dependsOn: [],
    ports: [{ port: ports.clickhouse, key: 'ports.clickhouse' }],
    address: url,
    restart: RESTART,
    stopSignal: 'SIGTERM',
    graceMs: 20_000,
    startMs: 60_000,
    prepare: async () => {
      await mkdir(folder, { recursive: true });
    },
  };
}
