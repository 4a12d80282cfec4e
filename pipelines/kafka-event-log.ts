/**
 * The event log on Kafka: idempotent writes through kafkajs, range reads through RangeReader.
 *
 * Exactly-once effects without transactions: `append` looks for its events' ids behind `since` before it writes, and
 * every reader drops a second event of the same id.
 */
import { createHash } from 'node:crypto';
import type { Producer } from 'kafkajs';
import type { AzrEvent, EventType } from '../schemas/generated/events.js';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { LOG_COMPRESSION } from './compression.js';
import {
  CorruptLogError,
  type EventLog,
  type EventReference,
  type LoggedEvent,
  type Offsets,
  type StreamOptions,
} from './event-log.js';
import { RangeReader, type LogGap, type RawMessage } from './range-reader.js';
import { DerivedSchemaIds, RegistrySchemaIds, type LoadableSchemaIds } from './schema-ids.js';
import { encodeEvent, EventDecoder, type Decoded } from './serde.js';
import { subjectOf } from './subject.js';
import { ensureTopics, kafkaClient, topicOf } from './topics.js';

/** Messages a request: measured best between 500 and 2,000 on one broker. */
export const BATCH_MESSAGES = 1_000;
export const BATCH_BYTES = 900_000;

/** Ensures the topics, publishes the schemas, connects. */
export async function createEventLog(
  addresses: Pick<ServiceAddresses, 'kafkaBrokers' | 'schemaRegistryUrl'>,
): Promise<EventLog> {
  await ensureTopics(addresses.kafkaBrokers);
  const producer = kafkaClient(addresses.kafkaBrokers, 'azr').producer({
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  let ids: LoadableSchemaIds;
  if (addresses.schemaRegistryUrl !== undefined)
    ids = await RegistrySchemaIds.connect(addresses.schemaRegistryUrl);
  else {
    const derived = new DerivedSchemaIds(addresses.kafkaBrokers);
    await derived.publish(producer);
    ids = derived;
  }
  return new KafkaEventLog(new RangeReader(addresses.kafkaBrokers), producer, ids);
}

/** Decodes a message; an id that is not known is asked for once. Only then there is something to wait for. */
export function decodeMessage(
  decoder: EventDecoder,
  ids: LoadableSchemaIds,
  value: Buffer,
): Decoded | Promise<Decoded> {
  const decoded = decoder.decode(value);
  if (decoded.ok || decoded.reason !== 'unknown-schema' || value.length < 5) return decoded;
  const id = value.readUInt32BE(1);
  if (ids.schemaOf(id) !== undefined) return decoded;
  return ids.load(id).then(() => decoder.decode(value));
}

class KafkaEventLog implements EventLog {
  readonly #reader: RangeReader;
  readonly #producer: Producer;
  readonly #ids: LoadableSchemaIds;
  readonly #decoder: EventDecoder;
  /** kafkajs reorders concurrent sends of one idempotent producer: one at a time. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(reader: RangeReader, producer: Producer, ids: LoadableSchemaIds) {
    this.#reader = reader;
    this.#producer = producer;
    this.#ids = ids;
    this.#decoder = new EventDecoder(ids);
  }

  async watermarks(topics: readonly string[]): Promise<Offsets> {
    const ends = await this.#reader.ends(topics);
    return Object.fromEntries(
      topics.map((topic) => [
        topic,
        Object.fromEntries(
          (ends.get(topic) ?? []).map((offset, partition) => [partition, offset.toString()]),
        ),
      ]),
    );
  }

  async append(events: readonly AzrEvent[], since: Offsets): Promise<readonly EventReference[]> {
    const byTopic = new Map<string, AzrEvent[]>();
    for (const event of events) {
      const list = byTopic.get(topicOf(event.type)) ?? [];
      list.push(event);
      byTopic.set(topicOf(event.type), list);
    }
    const references: EventReference[] = [];
    for (const [topic, own] of byTopic) references.push(await this.#appendTo(topic, own, since));
    return references;
  }

  async #appendTo(topic: string, events: readonly AzrEvent[], since: Offsets): Promise<EventReference> {
    const first = events[0];
    if (first === undefined) throw new RangeError('events is empty; at least one is needed');
    const { runId, iteration } = first.envelope;
    const types = new Set<EventType>();
    for (const event of events) {
      if (event.envelope.runId !== runId || event.envelope.iteration !== iteration)
        throw new RangeError('events are of several runs or iterations; one append is about one of each');
      types.add(event.type);
    }
    const selector = { runId, iteration, types: [...types].sort() };

    const rangesTo = (ends: readonly bigint[]): EventReference['ranges'] =>
      ends.map((to, partition) => ({
        partition,
        from: since[topic]?.[partition] ?? '0',
        to: to.toString(),
      }));
    const before = await this.#ends(topic);
    // What the log holds, not what was meant: an earlier attempt's event stays as it was written.
    let set = await this.#collect(topic, rangesTo(before), selector);
    const fresh = new Map<string, CollectedEvent>();
    for (const event of events) {
      const { eventId } = event.envelope;
      if (!set.has(eventId) && !fresh.has(eventId))
        fresh.set(eventId, { event, bytes: encodeEvent(event, this.#ids) });
    }
    await this.#send(topic, fresh.values());
    const ends = await this.#ends(topic);
    const written = ends.reduce((sum, end, partition) => sum + end - (before[partition] ?? 0n), 0n);
    // As many messages as were sent: nobody else wrote meanwhile, and what stands there is known without reading it back.
    if (written === BigInt(fresh.size)) for (const [id, one] of fresh) set.set(id, one);
    else set = await this.#collect(topic, rangesTo(ends), selector);
    const ranges = rangesTo(ends);
    for (const event of events)
      if (!set.has(event.envelope.eventId))
        throw new CorruptLogError(
          `${event.type} ${event.envelope.eventId} was written to ${topic} and is not there`,
        );
    return { topic, ranges, selector, count: set.size, digest: digestOf(set.values()) };
  }

  async #ends(topic: string): Promise<readonly bigint[]> {
    return (await this.#reader.ends([topic])).get(topic) ?? [];
  }

  async #send(topic: string, events: Iterable<CollectedEvent>): Promise<void> {
    let batch: { key: string; value: Buffer }[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const messages = batch;
      [batch, bytes] = [[], 0];
      if (messages.length === 0) return;
      const turn = this.#sending.then(() =>
        this.#producer.send({ topic, acks: -1, messages, compression: LOG_COMPRESSION }),
      );
      this.#sending = turn.catch(() => undefined);
      await turn;
    };
    for (const { event, bytes: value } of events) {
      if (batch.length >= BATCH_MESSAGES || bytes + value.length > BATCH_BYTES) await flush();
      batch.push({ key: subjectOf(event), value });
      bytes += value.length;
    }
    await flush();
  }

  async read(reference: EventReference): Promise<readonly AzrEvent[]> {
    const set = await this.#collect(reference.topic, reference.ranges, reference.selector);
    if (set.size !== reference.count || digestOf(set.values()) !== reference.digest)
      throw new CorruptLogError(
        `${reference.topic}: the reference of run ${reference.selector.runId}, iteration ${reference.selector.iteration} names ${reference.count} events with digest ${reference.digest}, the log holds ${set.size} with digest ${digestOf(set.values())}`,
      );
    return [...set.values()].map(({ event }) => event);
  }

  async *scan(
    topic: string,
    from: Offsets,
    to?: Offsets,
    filter: (event: AzrEvent) => boolean = () => true,
  ): AsyncGenerator<LoggedEvent> {
    const ends = await this.#ends(topic);
    for (const [partition, end] of ends.entries()) {
      const begin = from[topic]?.[partition] ?? '0';
      const until = to?.[topic]?.[partition] ?? end.toString();
      for await (const events of this.stream(topic, partition, begin, until, { filter })) yield* events;
    }
  }

  async *stream(
    topic: string,
    partition: number,
    from: string,
    to: string,
    { filter = () => true, onUnreadable, onGap }: StreamOptions = {},
  ): AsyncGenerator<readonly LoggedEvent[]> {
    for await (const messages of this.#decoded(topic, partition, from, to, onGap)) {
      const events: LoggedEvent[] = [];
      for (const { message, decoded } of messages) {
        const offset = message.offset.toString();
        if (!decoded.ok)
          onUnreadable?.({ topic, partition, offset, reason: decoded.reason, detail: decoded.detail });
        else if (filter(decoded.event)) events.push({ event: decoded.event, partition, offset });
      }
      if (events.length > 0) yield events;
    }
  }

  /** The messages of a fetch at a time, each with what it says; waited for only where a schema has to be loaded. */
  async *#decoded(
    topic: string,
    partition: number,
    from: string,
    to: string,
    onGap?: (gap: LogGap) => void,
  ): AsyncGenerator<readonly { readonly message: RawMessage; readonly decoded: Decoded }[]> {
    for await (const messages of this.#reader.chunks(topic, partition, BigInt(from), BigInt(to), onGap)) {
      const chunk: { message: RawMessage; decoded: Decoded }[] = [];
      for (const message of messages) {
        const decoding = this.#decode(message);
        chunk.push({ message, decoded: decoding instanceof Promise ? await decoding : decoding });
      }
      yield chunk;
    }
  }

  #decode({ value }: RawMessage): Decoded | Promise<Decoded> {
    if (value === null) return { ok: false, reason: 'too-short', detail: 'the message has no value' };
    return decodeMessage(this.#decoder, this.#ids, value);
  }

  async #collect(
    topic: string,
    ranges: EventReference['ranges'],
    selector: EventReference['selector'],
  ): Promise<Map<string, CollectedEvent>> {
    const set = new Map<string, CollectedEvent>();
    for (const { partition, from, to } of ranges)
      for await (const messages of this.#decoded(topic, partition, from, to))
        for (const { message, decoded } of messages) {
          if (!decoded.ok) continue;
          const { event } = decoded;
          if (!selects(selector, event) || set.has(event.envelope.eventId)) continue;
          set.set(event.envelope.eventId, { event, bytes: message.value ?? Buffer.alloc(0) });
        }
    return set;
  }

  async close(): Promise<void> {
    await this.#sending;
    await this.#producer.disconnect();
    await this.#reader.close();
  }
}

interface CollectedEvent {
  readonly event: AzrEvent;
  readonly bytes: Buffer;
}

function selects(selector: EventReference['selector'], event: AzrEvent): boolean {
  return (
    event.envelope.runId === selector.runId &&
    event.envelope.iteration === selector.iteration &&
    selector.types.includes(event.type)
  );
}

/** A reference to a set without events. */
export function emptyReference(topic: string, selector: EventReference['selector']): EventReference {
  return { topic, ranges: [], selector, count: 0, digest: digestOf([]) };
}

function digestOf(set: Iterable<CollectedEvent>): string {
  const lines = [...set].map(
    ({ event, bytes }) => `${event.envelope.eventId} ${createHash('sha256').update(bytes).digest('hex')}\n`,
  );
  const hash = createHash('sha256');
  for (const line of lines.sort()) hash.update(line);
  return hash.digest('hex');
}
