/**
 * Reads offset ranges of a topic without joining a consumer group, through the public `fetch` and `listOffsets` of
 * @platformatic/kafka: kafkajs has no manual assignment (docs/adr/0002-range-reads.md).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '@platformatic/kafka';

export interface RawMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
  readonly partition: number;
  readonly offset: bigint;
}

/** A fetch; a broker sends the first batch whole even where it is larger. */
const FETCH_BYTES = 2 * 1024 * 1024;
const MAX_WAIT_MS = 500;
/** Next offset, and the oldest kept one, as the protocol's special timestamps. */
const LATEST = -1n;
const EARLIEST = -2n;
/** Bits of a record batch's attributes: a transaction's control marker carries no message. */
const IS_CONTROL = 0x20;
/** A broker's restart takes seconds, up to half a minute on a loaded machine. */
const ATTEMPTS = 120;
/** A topic that was made a moment ago may not be known everywhere yet; one that is unknown for longer does not exist. */
const ATTEMPTS_UNKNOWN_TOPIC = 10;
const PAUSE_MS = 500;
const OUT_OF_RANGE = 'OFFSET_OUT_OF_RANGE';

/** Batches from an offset on, or the log's oldest offset where it begins later. */
type Fetched = Promise<{ readonly batches: readonly RecordsBatch[]; readonly start: bigint | undefined }>;

type FetchResponse = Awaited<ReturnType<Consumer<Buffer, Buffer, Buffer, Buffer>['fetch']>>;

type RecordsBatch = NonNullable<FetchResponse['responses'][number]['partitions'][number]['records']>[number];

/** The offset behind a batch. */
const behind = ({ firstOffset, lastOffsetDelta }: RecordsBatch): bigint =>
  firstOffset + BigInt(lastOffsetDelta) + 1n;

/** The client's errors: single, or several in one. */
interface ClientError extends Error {
  findBy?(property: string, value: unknown): unknown;
}

/** Offsets of a partition that the log has assigned and no longer has. */
export interface LogGap {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  /** Exclusive. */
  readonly to: bigint;
}

/** The log does not go on where it must: a log of facts has no gaps. */
export class LogGapError extends Error {
  override readonly name = 'LogGapError';
  /** What rests on this log cannot be answered for, as where a comparison differs. */
  readonly exitCode = 6;

  constructor(gap: LogGap) {
    super(`the log has a gap: ${gapText(gap)}; events in it are lost to whoever reads this log`);
  }
}

export function gapText({ topic, partition, from, to }: LogGap): string {
  return `${topic}, partition ${partition}, lacks the offsets ${from} to ${to - 1n}`;
}

export class RangeReader {
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;
  readonly #closed = new AbortController();

  constructor(brokers: readonly string[]) {
    this.#consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'azr-range-reader',
      // Never joined: the client wants a name all the same.
      groupId: 'azr-range-reader',
      bootstrapBrokers: [...brokers],
      // Retries are ours (#retrying).
      retries: 0,
      timeout: 30_000,
    });
  }

  /** Next offset of every partition of each topic. A topic that does not exist is an error that names it. */
  async ends(topics: readonly string[]): Promise<Map<string, bigint[]>> {
    return this.#offsets(topics, LATEST);
  }

  /** Oldest kept offset of every partition of each topic. */
  async starts(topics: readonly string[]): Promise<Map<string, bigint[]>> {
    return this.#offsets(topics, EARLIEST);
  }

  async #offsets(topics: readonly string[], timestamp: bigint): Promise<Map<string, bigint[]>> {
    return this.#retrying(() => this.#consumer.listOffsets({ topics: [...topics], timestamp }));
  }

  /**
   * The client repeats a request as it was, with the leader epoch that it knew: after a broker's restart that epoch is
   * fenced for good, and only fresh metadata helps.
   */
  async #retrying<T>(operation: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation();
      } catch (error) {
        const client = error as ClientError;
        const has = (property: string, value: unknown): boolean =>
          (client.findBy?.(property, value) ?? null) !== null;
        const attempts = has('apiId', 'UNKNOWN_TOPIC_OR_PARTITION') ? ATTEMPTS_UNKNOWN_TOPIC : ATTEMPTS;
        if (
          error instanceof RangeError ||
          this.#closed.signal.aborted ||
          has('canRetry', false) ||
          has('apiId', OUT_OF_RANGE) ||
          attempt >= attempts
        )
          throw error;
        this.#consumer.clearMetadata();
        await sleep(PAUSE_MS, undefined, { signal: this.#closed.signal });
      }
    }
  }

  /** The messages of `chunks`, one by one. */
  async *read(...range: Parameters<RangeReader['chunks']>): AsyncGenerator<RawMessage> {
    for await (const messages of this.chunks(...range)) yield* messages;
  }

  /**
   * Messages of one partition with from <= offset < to, in order, those of a fetch at a time: a promise a message is a
   * large part of what reading costs. One fetch is on its way while another is read.
   * @param onGap told of offsets that are gone, which are then passed over. @throws LogGapError where there is none.
   */
  async *chunks(
    topic: string,
    partition: number,
    from: bigint,
    to: bigint,
    onGap: (gap: LogGap) => void = (gap) => {
      throw new LogGapError(gap);
    },
  ): AsyncGenerator<readonly RawMessage[]> {
    let next = from;
    let idle = 0;
    let ahead: Fetched | undefined;
    const lacks = (until: bigint): void => {
      if (until > next) onGap({ topic, partition, from: next, to: until });
    };
    while (next < to) {
      const { batches, start } = await (ahead ?? this.#ahead(topic, partition, next));
      if (start !== undefined) {
        const kept = start < to ? start : to;
        lacks(kept);
        next = kept;
        ahead = undefined;
        continue;
      }
      const before = next;
      const last = batches.at(-1);
      const after = last === undefined ? next : behind(last);
      ahead = after > next && after < to ? this.#ahead(topic, partition, after) : undefined;
      const messages: RawMessage[] = [];
      for (const batch of batches) {
        if ((batch.attributes & IS_CONTROL) === 0)
          for (const record of batch.records) {
            const offset = batch.firstOffset + BigInt(record.offsetDelta);
            if (offset < next || next >= to) continue;
            lacks(offset < to ? offset : to);
            next = offset < to ? offset + 1n : to;
            if (offset < to)
              messages.push({
                key: record.key,
                value: record.value,
                headers: record.headers,
                partition,
                offset,
              });
          }
        if (behind(batch) > next) next = behind(batch);
      }
      if (messages.length > 0) yield messages;
      // Offsets below `to` were assigned, so they come; a broker that restarts answers late.
      idle = next === before ? idle + 1 : 0;
      if (idle > 120)
        throw new Error(
          `topic ${topic}, partition ${partition}: nothing came at offset ${next}, though ${to} was reached`,
        );
    }
  }

  /** A fetch that is awaited later: its failure is thrown then. */
  #ahead(topic: string, partition: number, offset: bigint): Fetched {
    const fetched = this.#batches(topic, partition, offset);
    fetched.catch(() => undefined);
    return fetched;
  }

  async #batches(topic: string, partition: number, offset: bigint): Fetched {
    try {
      const response = await this.#retrying(() => this.#fetch(topic, partition, offset));
      return { batches: response.responses[0]?.partitions[0]?.records ?? [], start: undefined };
    } catch (error) {
      if (((error as ClientError).findBy?.('apiId', OUT_OF_RANGE) ?? null) === null) throw error;
      const start = (await this.starts([topic])).get(topic)?.[partition] ?? 0n;
      if (start <= offset)
        throw new Error(
          `topic ${topic}, partition ${partition}: offset ${offset} was assigned and lies behind the log's end; the log was cut off`,
          { cause: error },
        );
      return { batches: [], start };
    }
  }

  async #fetch(topic: string, partition: number, offset: bigint): Promise<FetchResponse> {
    const metadata = await this.#consumer.metadata({ topics: [topic] });
    const found = metadata.topics.get(topic);
    const leader = found?.partitions[partition]?.leader;
    if (found === undefined || leader === undefined)
      throw new RangeError(`topic ${topic} has no partition ${partition} on these brokers`);
    return this.#consumer.fetch({
      node: leader,
      maxWaitTime: MAX_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [
        {
          topicId: found.id,
          partitions: [
            {
              partition,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              partitionMaxBytes: FETCH_BYTES,
            },
          ],
        },
      ],
    });
  }

  close(): Promise<void> {
    this.#closed.abort();
    return new Promise((resolve, reject) => {
      this.#consumer.close(true, (error) => (error instanceof Error ? reject(error) : resolve()));
    });
  }
}
