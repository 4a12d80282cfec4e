/** One round: each step and its limit, by turns, on topics and tables of their own. */
import type { ClickHouseClient } from '@clickhouse/client';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { insertText, RowBatch } from '../../pipelines/clickhouse/row-batch.js';
import { eventRows, snakeCase } from '../../pipelines/clickhouse/rows.js';
import { BATCH_BYTES, BATCH_MESSAGES, createEventLog } from '../../pipelines/kafka-event-log.js';
import { projectOnce, SINK_BATCH_MESSAGES } from '../../pipelines/sink.js';
import { eventTopics } from '../../pipelines/topics.js';
import { SCHEMA_VERSIONS } from '../../schemas/generated/events.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { bareConsume, bareInsert, barePublish } from './bare.js';
import type { EventBatch, Material } from './material.js';

const CUTS = {
  sendMessages: BATCH_MESSAGES,
  sendBytes: BATCH_BYTES,
  batchMessages: SINK_BATCH_MESSAGES,
};

export interface Round {
  readonly events: number;
  readonly rows: number;
  /** Encoded, not compressed. */
  readonly bytes: number;
  /** Seconds. */
  readonly published: number;
  readonly barePublished: number;
  readonly consumed: number;
  readonly bareConsumed: number;
  readonly inserted: number;
  readonly bareInserted: number;
  readonly endToEnd: number;
}

export async function measureRound(
  addresses: ServiceAddresses,
  material: Material,
  round: number,
): Promise<Round> {
  const { kafkaBrokers: brokers } = addresses;
  const log = await createEventLog(addresses);
  try {
    const from = await log.watermarks(eventTopics());
    // What is not measured now is let go, so that no step is held up by the memory of another.
    let appends = material.iterations(round);
    const events = appends.flat(2).length;
    const published = await timed(async () => {
      for (const steps of appends) {
        const since = await log.watermarks(eventTopics());
        for (const set of steps) await log.append(set, since);
      }
    });
    let sends = material.sends(appends.flat(), (topic) => `bare-${round}.${topic}`, CUTS);
    appends = [];
    const topics = [...new Set(sends.map(({ topic }) => topic))];
    const bytes = sends.flatMap(({ messages }) => messages).reduce((sum, { value }) => sum + value.length, 0);
    const barePublished = await barePublish(brokers, topics, sends);
    sends = [];
    const bareConsumed = await bareConsume(brokers, topics, events);
    const to = await log.watermarks(eventTopics());
    let decoded = 0;
    const consumed = await timed(async () => {
      for (const topic of eventTopics()) for await (const _ of log.scan(topic, from, to)) decoded += 1;
    });
    if (decoded !== events) throw new Error(`${decoded} of ${events} events were read`);

    const offsets = new Map(
      Object.entries(from).flatMap(([topic, partitions]) =>
        Object.entries(partitions).map(
          ([partition, offset]) => [`${topic}/${partition}`, BigInt(offset)] as const,
        ),
      ),
    );
    let found = 0;
    const endToEnd = await inDatabase(addresses, `sink_${round}`, (at) =>
      timed(async () => {
        await projectOnce(
          { addresses: at, signal: new AbortController().signal, deadLetters: false },
          offsets,
        );
        found = await countRows(at);
      }),
    );
    let inserts = material.inserts(material.iterations(round).flat(), CUTS);
    const rows = inserts.reduce((sum, batch) => sum + batch.rows.length, 0);
    if (found !== rows) throw new Error(`${found} of ${rows} rows are in the tables`);
    const bareInserted = await inDatabase(addresses, `bare_${round}`, (at) =>
      withClient(at, (client) => bareInsert(client, inserts)),
    );
    inserts = [];
    const batches = material.batches(material.iterations(round).flat(), CUTS);
    const inserted = await inDatabase(addresses, `rows_${round}`, (at) =>
      withClient(at, (client) => timed(() => insertedBatches(client, batches))),
    );
    return {
      events,
      rows,
      bytes,
      published,
      barePublished,
      consumed,
      bareConsumed,
      inserted,
      bareInserted,
      endToEnd,
    };
  } finally {
    await log.close();
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Empty tables, dropped afterwards. */
async function inDatabase(
  addresses: ServiceAddresses,
  database: string,
  work: (addresses: ServiceAddresses) => Promise<number>,
): Promise<number> {
  const at = { ...addresses, clickhouseDatabase: database };
  await migrate(at);
  try {
    return await work(at);
  } finally {
    const client = clickHouseClient(addresses, 'default');
    await client.command({ query: `DROP DATABASE ${database} SYNC` });
    await client.close();
  }
}

async function withClient<T>(
  addresses: ServiceAddresses,
  work: (client: ClickHouseClient) => Promise<T>,
): Promise<T> {
  const client = clickHouseClient(addresses);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** As the sink does, from decoded events on. */
async function insertedBatches(client: ClickHouseClient, batches: readonly EventBatch[]): Promise<void> {
  for (const { first, events } of batches) {
    const batch = new RowBatch();
    for (const [i, event] of events.entries())
      batch.add(eventRows(event, { partition: 0, offset: String(first + i) }));
    for (const rows of batch.tables()) await insertText(client, rows);
  }
}

/** One query, as a reader would ask. */
async function countRows(addresses: ServiceAddresses): Promise<number> {
  const tables = [...new Set(SCHEMA_VERSIONS.map(({ type }) => snakeCase(type)))];
  return withClient(addresses, async (client) => {
    const answer = await client.query({
      query: `SELECT toUInt32(${tables.map((name) => `(SELECT count() FROM ${name})`).join(' + ')}) AS found`,
      format: 'JSONEachRow',
    });
    return (await answer.json<{ found: number }>())[0]?.found ?? 0;
  });
}
