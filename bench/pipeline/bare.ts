/** The limits: the same bytes and rows through the same clients, without this project's code around them. */
import type { ClickHouseClient } from '@clickhouse/client';
import { LOG_COMPRESSION } from '../../pipelines/compression.js';
import { kafkaClient } from '../../pipelines/topics.js';

export interface KeyedMessage {
  readonly key: string;
  readonly value: Buffer;
}

/** What one send carries, as it was cut for the log. */
export interface Send {
  readonly topic: string;
  readonly messages: readonly KeyedMessage[];
}

export interface InsertBatch {
  readonly table: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** kafkajs, with the producer's settings of the log. @returns seconds. */
export async function barePublish(
  brokers: readonly string[],
  topics: readonly string[],
  sends: readonly Send[],
): Promise<number> {
  const client = kafkaClient(brokers, 'bare');
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({
    topics: topics.map((topic) => ({ topic, numPartitions: 1 })),
    waitForLeaders: true,
  });
  await admin.disconnect();
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    const began = performance.now();
    for (const { topic, messages } of sends)
      await producer.send({ topic, acks: -1, messages: [...messages], compression: LOG_COMPRESSION });
    return (performance.now() - began) / 1000;
  } finally {
    await producer.disconnect();
  }
}

/** kafkajs's consumer, which counts and does nothing else. @returns seconds from its place in the group to the last message. */
export async function bareConsume(
  brokers: readonly string[],
  topics: readonly string[],
  count: number,
): Promise<number> {
  const consumer = kafkaClient(brokers, 'bare').consumer({
    groupId: `bare-${process.pid}-${performance.now()}`,
    maxBytes: 16 << 20,
    maxBytesPerPartition: 2 << 20,
  });
  await consumer.connect();
  let joined = 0;
  consumer.on(consumer.events.GROUP_JOIN, () => (joined = performance.now()));
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    let seen = 0;
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachBatch: ({ batch }) => {
            seen += batch.messages.length;
            if (seen >= count) resolve();
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
    return (performance.now() - joined) / 1000;
  } finally {
    await consumer.disconnect();
  }
}

/** The official client's own way: objects in, JSONEachRow out. @returns seconds. */
export async function bareInsert(client: ClickHouseClient, batches: readonly InsertBatch[]): Promise<number> {
  const began = performance.now();
  for (const { table, rows } of batches) await client.insert({ table, values: rows, format: 'JSONEachRow' });
  return (performance.now() - began) / 1000;
}
