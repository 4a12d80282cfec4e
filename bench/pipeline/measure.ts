/** One round: each step and its limit, by turns, on topics and tables of their own. */
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { BATCH_BYTES, BATCH_MESSAGES, createEventLog } from '../../pipelines/kafka-event-log.js';
import { projectOnce, SINK_BATCH_MESSAGES } from '../../pipelines/sink.js';
import { eventTopics } from '../../pipelines/topics.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { bareConsume, bareInsert, barePublish, type InsertBatch } from './bare.js';
import type { Material } from './material.js';

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
  const appends = material.appends(round);
  const bare = (topic: string): string => `bare-${round}.${topic}`;
  const sends = material.sends(appends, bare, CUTS);
  const topics = [...new Set(sends.map(({ topic }) => topic))];
  const inserts = material.inserts(appends, CUTS);
  const count = appends.reduce((sum, events) => sum + events.length, 0);
  const rows = inserts.reduce((sum, batch) => sum + batch.rows.length, 0);
  const bytes = sends.flatMap(({ messages }) => messages).reduce((sum, { value }) => sum + value.length, 0);

  const log = await createEventLog(addresses);
  try {
    const from = await log.watermarks(eventTopics());
    const published = await timed(async () => {
      let since = from;
      for (const [i, events] of appends.entries()) {
        // As a step does, from where its iteration began.
        if (i % eventTopics().length === 0) since = await log.watermarks(eventTopics());
        await log.append(events, since);
      }
    });
    const barePublished = await barePublish(brokers, topics, sends);
    const bareConsumed = await bareConsume(brokers, topics, count);
    const to = await log.watermarks(eventTopics());
    let decoded = 0;
    const consumed = await timed(async () => {
      for (const topic of eventTopics()) for await (const _ of log.scan(topic, from, to)) decoded += 1;
    });
    if (decoded !== count) throw new Error(`${decoded} of ${count} events were read`);

    const bareInserted = await inDatabase(addresses, `bare_${round}`, (at) => insertedIn(at, inserts));
    const inserted = await inDatabase(addresses, `rows_${round}`, (at) => insertedIn(at, inserts));
    const offsets = new Map(
      Object.entries(from).flatMap(([topic, partitions]) =>
        Object.entries(partitions).map(
          ([partition, offset]) => [`${topic}/${partition}`, BigInt(offset)] as const,
        ),
      ),
    );
    const endToEnd = await inDatabase(addresses, `sink_${round}`, async (at) => {
      const seconds = await timed(async () => {
        await projectOnce(
          { addresses: at, signal: new AbortController().signal, deadLetters: false },
          offsets,
        );
        const found = await countRows(at, inserts);
        if (found !== rows) throw new Error(`${found} of ${rows} rows are in the tables`);
      });
      return seconds;
    });
    return {
      events: count,
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

async function insertedIn(addresses: ServiceAddresses, inserts: readonly InsertBatch[]): Promise<number> {
  const client = clickHouseClient(addresses);
  try {
    return await bareInsert(client, inserts);
  } finally {
    await client.close();
  }
}

/** One query, as a reader would ask. */
async function countRows(addresses: ServiceAddresses, inserts: readonly InsertBatch[]): Promise<number> {
  const tables = [...new Set(inserts.map(({ table }) => table))];
  const client = clickHouseClient(addresses);
  try {
    const answer = await client.query({
      query: `SELECT toUInt32(${tables.map((name) => `(SELECT count() FROM ${name})`).join(' + ')}) AS found`,
      format: 'JSONEachRow',
    });
    return (await answer.json<{ found: number }>())[0]?.found ?? 0;
  } finally {
    await client.close();
  }
}
