/**
 * The sink: facts from the log into ClickHouse, exactly-once in effect.
 *
 * A batch's rows go in under the deduplication token topic:partition:first-last, then the next offset is written. A crash
 * in between repeats the batch: equal rows meet in the tables' merge (first write wins) and the views show one. What
 * cannot be decoded, or has no place in a table, goes to the dead-letter topic with its reason, origin and bytes, and the sink goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { clickHouseClient, migrate } from './clickhouse/client.js';
import { rowsOf, type TableRows } from './clickhouse/rows.js';
import { decodeMessage } from './kafka-event-log.js';
import { RangeReader, type RawMessage } from './range-reader.js';
import { DerivedSchemaIds, RegistrySchemaIds, type LoadableSchemaIds } from './schema-ids.js';
import { EventDecoder } from './serde.js';
import { DEAD_LETTERS_TOPIC, ensureTopics, eventTopics, kafkaClient } from './topics.js';

export interface SinkOptions {
  readonly addresses: ServiceAddresses;
  readonly signal: AbortSignal;
  /** Rows written and messages read since the start. */
  readonly onProgress?: (rows: number, messages: number) => void;
  readonly onReady?: () => void;
  readonly onError?: (error: Error) => void;
}

const BATCH_MESSAGES = 5_000;
const IDLE_MS = 200;

export async function runSink(options: SinkOptions): Promise<void> {
  const { addresses, signal } = options;
  let ready = false;
  // A broker or database that restarts is waited for; what was not stored is read again.
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await ensureTopics(addresses.kafkaBrokers);
      await migrate(addresses);
      const sink = await Sink.open(addresses);
      try {
        if (!ready) options.onReady?.();
        ready = true;
        attempt = 0;
        await sink.run(signal, options.onProgress);
      } finally {
        await sink.close();
      }
    } catch (error) {
      options.onError?.(error as Error);
      if (!ready && attempt >= 20) throw error;
      await sleep(Math.min(5_000, 250 * 2 ** Math.min(attempt, 5)), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }
}

interface Partition {
  readonly topic: string;
  readonly partition: number;
  next: bigint;
}

type Rows =
  | ({ readonly ok: true } & TableRows)
  | { readonly ok: false; readonly reason: string; readonly detail: string };

class Sink {
  readonly #reader: RangeReader;
  readonly #client: ClickHouseClient;
  readonly #ids: LoadableSchemaIds;
  readonly #decoder: EventDecoder;
  readonly #addresses: ServiceAddresses;
  #rows = 0;
  #messages = 0;

  private constructor(addresses: ServiceAddresses, ids: LoadableSchemaIds) {
    this.#addresses = addresses;
    this.#reader = new RangeReader(addresses.kafkaBrokers);
    this.#client = clickHouseClient(addresses);
    this.#ids = ids;
    this.#decoder = new EventDecoder(ids);
  }

  static async open(addresses: ServiceAddresses): Promise<Sink> {
    const ids =
      addresses.schemaRegistryUrl === undefined
        ? new DerivedSchemaIds(addresses.kafkaBrokers)
        : await RegistrySchemaIds.connect(addresses.schemaRegistryUrl);
    return new Sink(addresses, ids);
  }

  async run(signal: AbortSignal, onProgress: SinkOptions['onProgress']): Promise<void> {
    const stored = await storedOffsets(this.#client);
    const partitions = new Map<string, Partition>();
    while (!signal.aborted) {
      const ends = await this.#reader.ends(eventTopics());
      let moved = false;
      for (const [topic, offsets] of ends)
        for (const [partition, end] of offsets.entries()) {
          const key = `${topic}/${partition}`;
          const at = partitions.get(key) ?? { topic, partition, next: stored.get(key) ?? 0n };
          partitions.set(key, at);
          while (at.next < end && !signal.aborted) {
            await this.#batch(at, end);
            moved = true;
            onProgress?.(this.#rows, this.#messages);
          }
        }
      if (!moved) await sleep(IDLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #batch(at: Partition, end: bigint): Promise<void> {
    const { topic, partition } = at;
    const tables = new Map<string, Readonly<Record<string, unknown>>[]>();
    const dead: { message: RawMessage; reason: string; detail: string }[] = [];
    const first = at.next;
    let next = at.next;
    let count = 0;
    for await (const message of this.#reader.read(topic, partition, at.next, end)) {
      next = message.offset + 1n;
      count += 1;
      const made = await this.#toRows(message);
      if (!made.ok) dead.push({ message, reason: made.reason, detail: made.detail });
      else {
        const list = tables.get(made.table);
        if (list === undefined) tables.set(made.table, [...made.rows]);
        else list.push(...made.rows);
      }
      if (count >= BATCH_MESSAGES) break;
    }
    if (count === 0) next = end;
    for (const [table, rows] of tables) {
      await this.#client.insert({
        table,
        values: rows,
        format: 'JSONEachRow',
        clickhouse_settings: { insert_deduplication_token: `${topic}:${partition}:${first}-${next - 1n}` },
      });
      this.#rows += rows.length;
    }
    if (dead.length > 0) await this.#bury(topic, dead);
    await this.#client.insert({
      table: 'sink_offsets',
      values: [{ topic, log_partition: partition, next_offset: next.toString() }],
      format: 'JSONEachRow',
    });
    this.#messages += count;
    at.next = next;
  }

  /** A message that cannot become rows must not stop the ones behind it: it gets a reason. */
  async #toRows(message: RawMessage): Promise<Rows> {
    if (message.value === null) return { ok: false, reason: 'empty', detail: 'the message has no value' };
    const decoded = await decodeMessage(this.#decoder, this.#ids, message.value);
    if (!decoded.ok) return decoded;
    try {
      const at = { partition: message.partition, offset: message.offset.toString() };
      return { ok: true, ...rowsOf(decoded.event, at) };
    } catch (error) {
      return { ok: false, reason: 'bad-row', detail: `${decoded.event.type}: ${(error as Error).message}` };
    }
  }

  async #bury(
    topic: string,
    dead: readonly { message: RawMessage; reason: string; detail: string }[],
  ): Promise<void> {
    const producer = kafkaClient(this.#addresses.kafkaBrokers, 'azr-sink').producer({
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    try {
      await producer.send({
        topic: DEAD_LETTERS_TOPIC,
        acks: -1,
        messages: dead.map(({ message, reason, detail }) => ({
          key: `${topic}/${message.partition}/${message.offset}`,
          value: message.value,
          headers: {
            topic,
            partition: String(message.partition),
            offset: String(message.offset),
            reason,
            detail,
          },
        })),
      });
    } finally {
      await producer.disconnect();
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#client.close();
  }
}

/** `topic/partition` -> next offset that is in the tables. */
export async function storedOffsets(client: ClickHouseClient): Promise<Map<string, bigint>> {
  const rows = await (
    await client.query({
      query:
        'SELECT topic, log_partition, toString(max(next_offset)) AS next FROM sink_offsets GROUP BY topic, log_partition',
      format: 'JSONEachRow',
    })
  ).json<{ topic: string; log_partition: number; next: string }>();
  return new Map(rows.map((row) => [`${row.topic}/${row.log_partition}`, BigInt(row.next)]));
}
