/** A real broker for tests: one of its own on free loopback ports, or the one at AZR_TEST_KAFKA_BROKERS. */
import { findJava } from '../../infra/local/java.js';
import { kafkaSpec } from '../../infra/local/services/kafka.js';
import { TestService, testStack } from './service.js';

export interface TestKafka {
  readonly brokers: readonly string[];
  /** kill -9 and start again; undefined for a broker that is not ours. */
  readonly service: Pick<TestService, 'kill' | 'start'> | undefined;
  end(): Promise<void>;
}

/** Any 16 bytes, base64url. */
const CLUSTER_ID = 'YXpyLXRlc3QtY2x1c3RlcA';

export async function startKafka(): Promise<TestKafka> {
  const given = process.env['AZR_TEST_KAFKA_BROKERS'];
  if (given !== undefined && given !== '')
    return { brokers: given.split(','), service: undefined, end: () => Promise.resolve() };
  const { dataDir, state } = await testStack(CLUSTER_ID);
  const service = new TestService(kafkaSpec(dataDir, state, await findJava()), dataDir);
  try {
    await service.start();
  } catch (error) {
    await service.end();
    throw error;
  }
  return { brokers: [`127.0.0.1:${state.ports.kafka}`], service, end: () => service.end() };
}
