/** The embedded ClickHouse for tests: a child process on a free loopback port with a folder of its own. */
import { clickhouseSpec } from '../../infra/local/services/clickhouse.js';
import type { ClickHouseAddress } from '../../pipelines/clickhouse/client.js';
import { ensureBuilt, TestService, testStack } from './service.js';

export interface TestClickHouse {
  readonly address: ClickHouseAddress;
  readonly service: Pick<TestService, 'kill' | 'start'>;
  end(): Promise<void>;
}

export async function startClickHouse(): Promise<TestClickHouse> {
  await ensureBuilt();
  const { dataDir, state } = await testStack('');
  const service = new TestService(clickhouseSpec(dataDir, state), dataDir);
  try {
    await service.start();
  } catch (error) {
    await service.end();
    throw error;
  }
  return {
    address: { clickhouseUrl: `http://127.0.0.1:${state.ports.clickhouse}`, clickhouseDatabase: 'azr' },
    service,
    end: () => service.end(),
  };
}
