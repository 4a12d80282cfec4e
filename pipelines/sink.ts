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
import { MessageProjector } from './message-rows.js';
import { RangeReader, type RawMessage } from './range-reader.js';
import { DEAD_LETTERS_TOPIC, ensureTopics, eventTopics, kafkaClient } from './topics.js';

export interface SinkOptions {
  readonly addresses: ServiceAddresses;
  readonly signal: AbortSignal;
  /** Rows written and messages read since the start. */
  readonly onProgress?: (rows: number, messages: number) => void;
  readonly onReady?: () => void;
  readonly onError?: (error: Error) => void;
  /** Messages a batch at most; default 5,000. */
  readonly batchMessages?: number;
  /** False: what has no place in a table is passed over. A second sink of the same log would bury it twice. */
  readonly deadLetters?: boolean;
}

export const SINK_BATCH_MESSAGES = 5_000;
const IDLE_MS = 200;

export async function runSink(options: SinkOptions): Promise<void> {
  const { addresses, signal } = options;
  let ready = false;
  // A broker or database that restarts is waited for; what was not stored is read again.
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await ensureTopics(addresses.kafkaBrokers);
      await migrate(addresses);
      const sink = await Sink.open(options);
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

/**
 * One pass from the given offsets to the end that the log has now, whatever the tables' own offsets say; rows that are
 * there already stay as they are.
 * @returns the offsets reached, by `topic/partition`.
 */
export async function projectOnce(
  options: SinkOptions,
  from: ReadonlyMap<string, bigint>,
): Promise<Map<string, bigint>> {
  await migrate(options.addresses);
  const sink = await Sink.open(options);
  try {
    const partitions = new Map<string, Partition>();
    await sink.pass(from, partitions, options.signal, options.onProgress);
    options.signal.throwIfAborted();
    return new Map([...partitions].map(([key, { next }]) => [key, next]));
  } finally {
    await sink.close();
  }
}

interface Partition {
  readonly topic: string;
  readonly partition: number;
  next: bigint;
}

class Sink {
  readonly #reader: RangeReader;
  readonly #client: ClickHouseClient;
  readonly #projector: MessageProjector;
  readonly #addresses: ServiceAddresses;
  readonly #batchMessages: number;
  readonly #buries: boolean;
  #rows = 0;
  #messages = 0;

  private constructor(options: SinkOptions, projector: MessageProjector) {
    const { addresses } = options;
    this.#addresses = addresses;
    this.#batchMessages = options.batchMessages ?? SINK_BATCH_MESSAGES;
    this.#buries = options.deadLetters ?? true;
    this.#reader = new RangeReader(addresses.kafkaBrokers);
    this.#client = clickHouseClient(addresses);
    this.#projector = projector;
  }

  static async open(options: SinkOptions): Promise<Sink> {
    return new Sink(options, await MessageProjector.open(options.addresses));
  }

  /** Follows the log until the signal. */
  async run(signal: AbortSignal, onProgress: SinkOptions['onProgress']): Promise<void> {
    const stored = await storedOffsets(this.#client);
    const partitions = new Map<string, Partition>();
    while (!signal.aborted)
      if (!(await this.pass(stored, partitions, signal, onProgress)))
        await sleep(IDLE_MS, undefined, { signal }).catch(() => undefined);
  }

  /**
   * Stores what the log holds now.
   * @param from where partitions begin that `partitions` does not have yet.
   * @returns whether there was anything.
   */
  async pass(
    from: ReadonlyMap<string, bigint>,
    partitions: Map<string, Partition>,
    signal: AbortSignal,
    onProgress: SinkOptions['onProgress'],
  ): Promise<boolean> {
    const ends = await this.#reader.ends(eventTopics());
    let moved = false;
    for (const [topic, offsets] of ends)
      for (const [partition, end] of offsets.entries()) {
        const key = `${topic}/${partition}`;
        const at = partitions.get(key) ?? { topic, partition, next: from.get(key) ?? 0n };
        partitions.set(key, at);
        while (at.next < end && !signal.aborted) {
          await this.#batch(at, end);
          moved = true;
          onProgress?.(this.#rows, this.#messages);
        }
      }
    return moved;
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
      const made = await this.#projector.rowsOf(message);
      if (!made.ok) dead.push({ message, reason: made.reason, detail: made.detail });
      else {
        const list = tables.get(made.table);
        if (list === undefined) tables.set(made.table, [...made.rows]);
        else list.push(...made.rows);
      }
      if (count >= this.#batchMessages) break;
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
    if (dead.length > 0 && this.#buries) await this.#bury(topic, dead);
    await this.#client.insert({
      table: 'sink_offsets',
      values: [{ topic, log_partition: partition, next_offset: next.toString() }],
      format: 'JSONEachRow',
    });
    this.#messages += count;
    at.next = next;
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
