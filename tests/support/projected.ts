/** A broker and a database of their own, with a sink run in this process where a test wants one. */
import type { ServiceAddresses } from '../../src/config/addresses.js';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { runSink } from '../../pipelines/sink.js';
import { waitUntilProjected } from '../../pipelines/sql.js';
import { ensureTopics, eventTopics, kafkaClient } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { migrate } from '../../pipelines/clickhouse/client.js';
import { startClickHouse, type TestClickHouse } from './clickhouse.js';
import { startKafka, type TestKafka } from './kafka.js';

export interface Projected {
  readonly kafka: TestKafka;
  readonly clickhouse: TestClickHouse;
  readonly log: EventLog;
  readonly addresses: ServiceAddresses;
  end(): Promise<void>;
}

export async function startProjected(partitions = 2): Promise<Projected> {
  const kafka = await startKafka();
  try {
    const clickhouse = await startClickHouse();
    try {
      await ensureTopics(kafka.brokers, partitions);
      const log = await createEventLog({ kafkaBrokers: kafka.brokers });
      const addresses = {
        kafkaBrokers: kafka.brokers,
        temporalAddress: 'unused',
        temporalNamespace: 'unused',
        ...clickhouse.address,
      };
      await migrate(addresses);
      const end = async (): Promise<void> => {
        await log.close();
        await clickhouse.end();
        await kafka.end();
      };
      return { kafka, clickhouse, log, addresses, end };
    } catch (error) {
      await clickhouse.end();
      throw error;
    }
  } catch (error) {
    await kafka.end();
    throw error;
  }
}

/** Runs a sink in this process while `work` goes on and until what is in the log then is in the tables. */
export async function withSink(
  addresses: ServiceAddresses,
  work: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const stop = new AbortController();
  const errors: Error[] = [];
  const sink = runSink({ addresses, signal: stop.signal, onError: (error) => errors.push(error) });
  try {
    await migrate(addresses);
    await work();
    if (!(await waitUntilProjected(addresses, { timeoutMs: 60_000 })))
      throw new Error(`the sink does not catch up: ${errors.map(String).join('; ')}`);
  } finally {
    stop.abort();
    await sink;
  }
}

export async function produce(
  brokers: readonly string[],
  topic: string,
  messages: readonly { key?: string; value: Buffer | string | null; partition?: number }[],
): Promise<void> {
  const producer = kafkaClient(brokers, 'test').producer();
  await producer.connect();
  await producer.send({ topic, messages: [...messages] });
  await producer.disconnect();
}

/** Events as the steps would append them: by run and iteration. */
export async function appendAll(log: EventLog, events: readonly AzrEvent[]): Promise<void> {
  const sets = new Map<string, AzrEvent[]>();
  for (const one of events) {
    const key = `${one.envelope.runId} ${one.envelope.iteration}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, [one]);
    else set.push(one);
  }
  for (const set of sets.values()) await log.append(set, await log.watermarks(eventTopics()));
}
