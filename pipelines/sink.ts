/**
 * The sink: facts from the log into ClickHouse, exactly-once in effect.
 *
 * A batch's rows go in under the deduplication token topic:partition:first-last, then the next offset is written. A crash
 * in between repeats the batch: equal rows meet in the tables' merge (first write wins) and the views show one. What
 * cannot be decoded, or has no place in a table, goes to the dead-letter topic with its reason, origin and bytes, and the
 * sink goes on; so it does behind offsets that the log has lost, which it reports.
 *
 * While one batch is stored the next is read and turned into rows, one at most. A batch ends with its number of messages,
 * rows or bytes, and with the log: nothing waits for company, so no row is older than a pass when it is stored.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { clickHouseClient, migrate } from './clickhouse/client.js';
import { insertText, RowBatch } from './clickhouse/row-batch.js';
import { MessageProjector, type MessageRows } from './message-rows.js';
import { LogGapError, RangeReader, type LogGap, type RawMessage } from './range-reader.js';
import { DEAD_LETTERS_TOPIC, ensureTopics, eventTopics, kafkaClient } from './topics.js';

export interface SinkOptions {
  readonly addresses: ServiceAddresses;
  readonly signal: AbortSignal;
  /** Rows written and messages read since the start. */
  readonly onProgress?: (rows: number, messages: number) => void;
  readonly onReady?: () => void;
  readonly onError?: (error: Error) => void;
  /** Messages a batch at most; default 10,000. */
  readonly batchMessages?: number;
  /** False: what has no place in a table is passed over. A second sink of the same log would bury it twice. */
  readonly deadLetters?: boolean;
}

export const SINK_BATCH_MESSAGES = 10_000;
const BATCH_ROWS = 50_000;
/** Encoded. */
const BATCH_BYTES = 16 << 20;
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

interface DeadMessage {
  readonly message: RawMessage;
  readonly reason: string;
  readonly detail: string;
}

/** What is stored at once: consecutive messages of one partition. */
class Batch {
  readonly first: bigint;
  /** The offset behind its last message. */
  next: bigint;
  readonly rows = new RowBatch();
  readonly dead: DeadMessage[] = [];
  messages = 0;
  #bytes = 0;

  constructor(first: bigint) {
    this.first = first;
    this.next = first;
  }

  add(message: RawMessage, rows: MessageRows): void {
    if (rows.ok) this.rows.add(rows);
    else this.dead.push({ message, reason: rows.reason, detail: rows.detail });
    this.next = message.offset + 1n;
    this.messages += 1;
    this.#bytes += message.value?.length ?? 0;
  }

  isFull(mostMessages: number): boolean {
    return this.messages >= mostMessages || this.rows.rows >= BATCH_ROWS || this.#bytes >= BATCH_BYTES;
  }
}

class Sink {
  readonly #reader: RangeReader;
  readonly #client: ClickHouseClient;
  readonly #projector: MessageProjector;
  readonly #addresses: ServiceAddresses;
  readonly #batchMessages: number;
  readonly #buries: boolean;
  readonly #onGap: (gap: LogGap) => void;
  #rows = 0;
  #messages = 0;

  private constructor(options: SinkOptions, projector: MessageProjector) {
    const { addresses } = options;
    this.#addresses = addresses;
    this.#batchMessages = options.batchMessages ?? SINK_BATCH_MESSAGES;
    this.#buries = options.deadLetters ?? true;
    this.#onGap = (gap) => options.onError?.(new LogGapError(gap));
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
    let storing: Promise<void> = Promise.resolve();
    const store = async (at: Partition, batch: Batch): Promise<void> => {
      await storing;
      at.next = batch.next;
      storing = this.#store(at, batch).then(() => onProgress?.(this.#rows, this.#messages));
      // Awaited before the next one, and at the end.
      storing.catch(() => undefined);
    };
    for (const [topic, offsets] of ends)
      for (const [partition, end] of offsets.entries()) {
        const key = `${topic}/${partition}`;
        const at = partitions.get(key) ?? { topic, partition, next: from.get(key) ?? 0n };
        partitions.set(key, at);
        if (at.next >= end || signal.aborted) continue;
        moved = true;
        let batch = new Batch(at.next);
        const onGap = (gap: LogGap): void => this.#onGap(gap);
        for await (const message of this.#reader.read(topic, partition, at.next, end, onGap)) {
          const rows = this.#projector.rowsOf(message);
          batch.add(message, rows instanceof Promise ? await rows : rows);
          if (!batch.isFull(this.#batchMessages)) continue;
          await store(at, batch);
          batch = new Batch(batch.next);
          if (signal.aborted) break;
        }
        if (signal.aborted) continue;
        // Up to the end, where nothing but markers may stand.
        batch.next = end;
        if (batch.first < end) await store(at, batch);
      }
    await storing;
    return moved;
  }

  async #store({ topic, partition }: Partition, batch: Batch): Promise<void> {
    const { first, next, dead, messages } = batch;
    for (const rows of batch.rows.tables())
      await insertText(this.#client, rows, `${topic}:${partition}:${first}-${next - 1n}`);
    if (dead.length > 0 && this.#buries) await this.#bury(topic, dead);
    await this.#client.insert({
      table: 'sink_offsets',
      values: [{ topic, log_partition: partition, next_offset: next.toString() }],
      format: 'JSONEachRow',
    });
    this.#rows += batch.rows.rows;
    this.#messages += messages;
  }

  async #bury(topic: string, dead: readonly DeadMessage[]): Promise<void> {
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
