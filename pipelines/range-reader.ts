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

const MAX_BYTES = 16 * 1024 * 1024;
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

type FetchResponse = Awaited<ReturnType<Consumer<Buffer, Buffer, Buffer, Buffer>['fetch']>>;

/** The client's errors: single, or several in one. */
interface ClientError extends Error {
  findBy?(property: string, value: unknown): unknown;
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
          attempt >= attempts
        )
          throw error;
        this.#consumer.clearMetadata();
        await sleep(PAUSE_MS, undefined, { signal: this.#closed.signal });
      }
    }
  }

  /** Messages of one partition with from <= offset < to, in order. */
  async *read(topic: string, partition: number, from: bigint, to: bigint): AsyncGenerator<RawMessage> {
    let next = from;
    let idle = 0;
    while (next < to) {
      const response = await this.#retrying(() => this.#fetch(topic, partition, next));
      const before = next;
      for (const batch of response.responses[0]?.partitions[0]?.records ?? []) {
        if ((batch.attributes & IS_CONTROL) === 0)
          for (const record of batch.records) {
            const offset = batch.firstOffset + BigInt(record.offsetDelta);
            if (offset < next || offset >= to) continue;
            yield { key: record.key, value: record.value, headers: record.headers, partition, offset };
          }
        const after = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
        if (after > next) next = after;
      }
      // Offsets below `to` were assigned, so they come; a broker that restarts answers late.
      idle = next === before ? idle + 1 : 0;
      if (idle > 120)
        throw new Error(
          `topic ${topic}, partition ${partition}: nothing came at offset ${next}, though ${to} was reached`,
        );
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
      maxBytes: MAX_BYTES,
      topics: [
        {
          topicId: found.id,
          partitions: [
            {
              partition,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              partitionMaxBytes: MAX_BYTES,
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
