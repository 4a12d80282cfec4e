/**
 * Reads offset ranges of a topic without joining a consumer group, through the public `fetch` and `listOffsets` of
 * @platformatic/kafka: kafkajs has no manual assignment (docs/adr/0002-range-reads.md).
 */
import { Consumer } from '@platformatic/kafka';

export interface RawMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
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

export class RangeReader {
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;

  constructor(brokers: readonly string[]) {
    this.#consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'azr-range-reader',
      // Never joined: the client wants a name all the same.
      groupId: 'azr-range-reader',
      bootstrapBrokers: [...brokers],
      retries: 60,
      retryDelay: 500,
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
    return this.#consumer.listOffsets({ topics: [...topics], timestamp });
  }

  /** Messages of one partition with from <= offset < to, in order. */
  async *read(topic: string, partition: number, from: bigint, to: bigint): AsyncGenerator<RawMessage> {
    let next = from;
    let idle = 0;
    while (next < to) {
      const metadata = await this.#consumer.metadata({ topics: [topic] });
      const found = metadata.topics.get(topic);
      const leader = found?.partitions[partition]?.leader;
      if (found === undefined || leader === undefined)
        throw new Error(`topic ${topic} has no partition ${partition} on these brokers`);
      const response = await this.#consumer.fetch({
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
                fetchOffset: next,
                lastFetchedEpoch: -1,
                partitionMaxBytes: MAX_BYTES,
              },
            ],
          },
        ],
      });
      const before = next;
      for (const batch of response.responses[0]?.partitions[0]?.records ?? []) {
        if ((batch.attributes & IS_CONTROL) === 0)
          for (const record of batch.records) {
            const offset = batch.firstOffset + BigInt(record.offsetDelta);
            if (offset < next || offset >= to) continue;
            yield { key: record.key, value: record.value, partition, offset };
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

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#consumer.close(true, (error) => (error instanceof Error ? reject(error) : resolve()));
    });
  }
}
