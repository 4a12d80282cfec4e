/** The event log on a real broker: exactly-once effects, exact references, and a broker that is killed. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CorruptLogError,
  type EventLog,
  type EventReference,
  type Offsets,
} from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { RangeReader } from '../../pipelines/range-reader.js';
import { ensureTopics, eventTopics, kafkaClient, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { event, EVENT_TYPES, exampleEvent, type Place } from '../support/events.js';
import { startKafka, type TestKafka } from '../support/kafka.js';

const PARTITIONS = 3;
const TASKS = topicOf('TaskRejected');

let kafka: TestKafka;
let log: EventLog;
let reader: RangeReader;

beforeAll(async () => {
  kafka = await startKafka();
  await ensureTopics(kafka.brokers, PARTITIONS);
  log = await createEventLog({ kafkaBrokers: kafka.brokers });
  reader = new RangeReader(kafka.brokers);
});
afterAll(async () => {
  await log?.close();
  await reader?.close();
  await kafka?.end();
});

const freshPlace = (): Place => ({ runId: `run-${randomUUID()}`, iteration: 1 });

/** `count` rejections; their subjects spread over the partitions. */
function rejections(place: Place, count: number, first = 0, detail = 'a repeat'): AzrEvent[] {
  return Array.from({ length: count }, (_, i) =>
    event('TaskRejected', place, [first + i], {
      subjectId: `proposal-${first + i}`,
      proposalId: `proposal-${first + i}`,
      origin: 'proposal',
      kind: 'deduction',
      index: first + i,
      reason: 'duplicate',
      detail,
      formatOk: true,
      code: null,
      sourceLine: null,
    }),
  );
}

const idsOf = (events: readonly AzrEvent[]): string[] => events.map((one) => one.envelope.eventId).sort();
const idSet = (events: readonly AzrEvent[]): Map<string, AzrEvent> =>
  new Map(events.map((one) => [one.envelope.eventId, one]));

/** Messages in a topic, whatever they hold. */
async function messages(topic = TASKS): Promise<number> {
  return Number(((await reader.ends([topic])).get(topic) ?? []).reduce((sum, end) => sum + end, 0n));
}

async function scanned(from: Offsets, to?: Offsets, topic = TASKS): Promise<[number, string, AzrEvent][]> {
  const found: [number, string, AzrEvent][] = [];
  for await (const one of log.scan(topic, from, to)) found.push([one.partition, one.offset, one.event]);
  return found;
}

/** Codecs by the three lowest bits of a batch's attributes. */
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** Record batches as they stand on the broker. */
async function fetchBatches(
  partition: number,
  offset: bigint,
): Promise<{ attributes: number; firstOffset: bigint; lastOffsetDelta: number }[]> {
  const consumer = new Consumer({ clientId: 'raw', groupId: 'raw', bootstrapBrokers: [...kafka.brokers] });
  try {
    const topic = (await consumer.metadata({ topics: [TASKS] })).topics.get(TASKS);
    const node = topic?.partitions[partition]?.leader;
    if (topic === undefined || node === undefined) throw new Error(`${TASKS} has no partition ${partition}`);
    const fetchOffset = offset;
    const wanted = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: 1 << 24,
    };
    const { responses } = await consumer.fetch({
      node,
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: 1 << 24,
      topics: [{ topicId: topic.id, partitions: [wanted] }],
    });
    return responses[0]?.partitions[0]?.records ?? [];
  } finally {
    await new Promise<void>((resolve) => consumer.close(true, () => resolve()));
  }
}

const only = (references: readonly EventReference[]): EventReference => {
  expect(references).toHaveLength(1);
  return references[0] as EventReference;
};

describe('append', () => {
  it('twice is once', async () => {
    const since = await log.watermarks([TASKS]);
    const events = rejections(freshPlace(), 50);
    const before = await messages();
    const first = only(await log.append(events, since));
    const second = only(await log.append(events, since));
    expect(await messages()).toBe(before + 50);
    expect({ count: second.count, digest: second.digest }).toEqual({ count: 50, digest: first.digest });
    expect(await log.read(second)).toEqual(await log.read(first));
    expect(idSet(await log.read(first))).toEqual(idSet(events));
  });

  it('after a half was written writes the rest', async () => {
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    const before = await messages();
    await log.append(rejections(place, 20), since);
    const whole = only(await log.append(rejections(place, 50), since));
    expect(await messages()).toBe(before + 50);
    expect(idsOf(await log.read(whole))).toEqual(idsOf(rejections(place, 50)));
  });

  it('writes one of two equal ids in one call', async () => {
    const since = await log.watermarks([TASKS]);
    const events = rejections(freshPlace(), 3);
    const before = await messages();
    const reference = only(await log.append([...events, ...events], since));
    expect(await messages()).toBe(before + 3);
    expect(reference.count).toBe(3);
  });

  it('keeps the first write where a later one says something else', async () => {
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    await log.append(rejections(place, 5, 0, 'first'), since);
    const again = only(await log.append(rejections(place, 8, 0, 'second'), since));
    const details = (await log.read(again)).map((one) =>
      one.type === 'TaskRejected' ? one.data.detail : '',
    );
    expect(details.filter((detail) => detail === 'first')).toHaveLength(5);
    expect(details.filter((detail) => detail === 'second')).toHaveLength(3);
  });

  it('by two writers at once of the same facts gives both one set', async () => {
    const other = await createEventLog({ kafkaBrokers: kafka.brokers });
    try {
      const since = await log.watermarks([TASKS]);
      const place = freshPlace();
      const [mine, theirs] = await Promise.all([
        log.append(rejections(place, 2_000, 0, 'mine'), since),
        other.append(rejections(place, 2_000, 0, 'theirs'), since),
      ]);
      const [a, b] = [await log.read(only(mine)), await other.read(only(theirs))];
      expect(idSet(a)).toEqual(idSet(b));
      expect(a).toHaveLength(2_000);
    } finally {
      await other.close();
    }
  });

  it('gives a reference a topic, in the order in which the topics occur', async () => {
    const place = freshPlace();
    const since = await log.watermarks(eventTopics());
    const events = EVENT_TYPES.map((type) =>
      exampleEvent(type, { ...place, eventId: `${place.runId}/${type}` }),
    );
    const references = await log.append(events, since);
    expect(references.map(({ topic }) => topic)).toEqual([...new Set(EVENT_TYPES.map(topicOf))]);
    const read = (await Promise.all(references.map((reference) => log.read(reference)))).flat();
    expect(idSet(read)).toEqual(idSet(events));
  });

  it('of nothing is nothing, and of two iterations is refused', async () => {
    const place = freshPlace();
    expect(await log.append([], {})).toEqual([]);
    const mixed = [...rejections(place, 1), ...rejections({ ...place, iteration: 2 }, 1)];
    await expect(log.append(mixed, {})).rejects.toThrow('several runs or iterations');
  });

  it('refuses an event that does not fit its schema, and goes on with the next', async () => {
    const since = await log.watermarks([TASKS]);
    const [good] = rejections(freshPlace(), 1) as [AzrEvent];
    const bad = { ...good, data: { ...good.data, reason: 7 } } as unknown as AzrEvent;
    await expect(log.append([bad], since)).rejects.toThrow('reason is 7; accepted is "string"');
    expect(only(await log.append([good], since)).count).toBe(1);
  });

  it('writes compressed batches, which lie beside plain ones of an older producer', async () => {
    const since = await log.watermarks([TASKS]);
    const events = rejections(freshPlace(), 300, 0, 'said at length, '.repeat(50));
    const { ranges } = only(await log.append(events, since));
    const plain = kafkaClient(kafka.brokers, 'plain').producer();
    await plain.connect();
    await plain.send({ topic: TASKS, messages: [{ key: 'k', value: 'no event', partition: 0 }] });
    await plain.disconnect();
    const codecs = new Set<string>();
    for (const { partition, from, to } of ranges)
      for (let next = BigInt(from); next < BigInt(to);) {
        const batches = await fetchBatches(partition, next);
        for (const { attributes, firstOffset, lastOffsetDelta } of batches) {
          next = firstOffset + BigInt(lastOffsetDelta) + 1n;
          if (next <= BigInt(to)) codecs.add(CODECS[attributes & 7] ?? 'unknown');
        }
      }
    expect([...codecs]).toEqual(['gzip']);
    expect(idSet((await scanned(since)).map(([, , one]) => one))).toEqual(idSet(events));
  });

  it('takes more than 20,000 events', async () => {
    const since = await log.watermarks([TASKS]);
    const events = rejections(freshPlace(), 20_500);
    const before = await messages();
    const reference = only(await log.append(events, since));
    expect(reference.count).toBe(20_500);
    expect(await messages()).toBe(before + 20_500);
    expect(idsOf(await log.read(reference))).toEqual(idsOf(events));
    expect(JSON.stringify(reference).length).toBeLessThan(2_000);
  });
});

describe('a reference', () => {
  it('is exact where two runs interleave', async () => {
    const since = await log.watermarks([TASKS]);
    const [a, b] = [freshPlace(), freshPlace()];
    for (let i = 0; i < 4; i++) {
      await log.append(rejections(a, 10, i * 10), since);
      await log.append(rejections(b, 10, i * 10), since);
    }
    const next = { ...a, iteration: 2 };
    await log.append(rejections(next, 10), since);
    const ofA = only(await log.append(rejections(a, 40), since));
    const ofB = only(await log.append(rejections(b, 40), since));
    expect(idSet(await log.read(ofA))).toEqual(idSet(rejections(a, 40)));
    expect(idSet(await log.read(ofB))).toEqual(idSet(rejections(b, 40)));
  });

  it('means its types alone', async () => {
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    const accepted = exampleEvent('TaskAccepted', { ...place, eventId: `${place.runId}/accepted` });
    await log.append([accepted], since);
    const rejected = only(await log.append(rejections(place, 4), since));
    expect(rejected.selector.types).toEqual(['TaskRejected']);
    expect(await log.read(rejected)).toHaveLength(4);
    const both = only(await log.append([accepted, ...rejections(place, 4)], since));
    expect(both.selector.types).toEqual(['TaskAccepted', 'TaskRejected']);
    expect(await log.read(both)).toHaveLength(5);
  });

  it('stays exact when more is written behind it', async () => {
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    const early = only(await log.append(rejections(place, 5), since));
    const late = only(await log.append(rejections(place, 9), since));
    expect(await log.read(early)).toHaveLength(5);
    expect(await log.read(late)).toHaveLength(9);
  });

  it('that was tampered with is a CorruptLogError that names both counts', async () => {
    const place = freshPlace();
    const reference = only(await log.append(rejections(place, 6), await log.watermarks([TASKS])));
    const shorter = reference.ranges.map((range) => ({ ...range, to: range.from }));
    const tampered: EventReference[] = [
      { ...reference, count: 7 },
      { ...reference, digest: '0'.repeat(64) },
      { ...reference, ranges: shorter },
      { ...reference, selector: { ...reference.selector, iteration: 2 } },
      { ...reference, selector: { ...reference.selector, types: ['TaskAccepted'] } },
    ];
    for (const one of tampered) await expect(log.read(one)).rejects.toBeInstanceOf(CorruptLogError);
    await expect(log.read({ ...reference, ranges: shorter })).rejects.toThrow(
      `run ${place.runId}, iteration 1 names 6 events with digest ${reference.digest}, the log holds 0`,
    );
  });
});

describe('scan', () => {
  it('gives what stands between two offsets, in order within a partition', async () => {
    const [a, b] = [rejections(freshPlace(), 30), rejections(freshPlace(), 30)];
    const from = await log.watermarks([TASKS]);
    await log.append(a, from);
    const middle = await log.watermarks([TASKS]);
    await log.append(b, middle);
    const [first, second, both] = [await scanned(from, middle), await scanned(middle), await scanned(from)];
    expect(idsOf(first.map(([, , one]) => one))).toEqual(idsOf(a));
    expect(idsOf(second.map(([, , one]) => one))).toEqual(idsOf(b));
    expect(idsOf(both.map(([, , one]) => one))).toEqual(idsOf([...a, ...b]));
    const last = new Map<number, bigint>();
    for (const [partition, offset] of both) {
      expect(BigInt(offset) > (last.get(partition) ?? -1n)).toBe(true);
      last.set(partition, BigInt(offset));
    }
  });

  it('of an empty range is empty', async () => {
    const here = await log.watermarks([TASKS]);
    expect(await scanned(here, here)).toEqual([]);
    expect(await scanned(here)).toEqual([]);
  });

  it('filters', async () => {
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    await log.append(rejections(place, 10), since);
    const found: AzrEvent[] = [];
    const odd = (one: AzrEvent): boolean => one.type === 'TaskRejected' && one.data.index % 2 === 1;
    for await (const one of log.scan(TASKS, since, undefined, odd)) found.push(one.event);
    expect(found).toHaveLength(5);
  });

  it('passes over what is no event', async () => {
    const since = await log.watermarks([TASKS]);
    const producer = kafkaClient(kafka.brokers, 'test').producer();
    await producer.connect();
    await producer.send({
      topic: TASKS,
      messages: [{ value: 'not avro' }, { value: null }, { value: Buffer.from([0, 0, 0, 0, 9, 1]) }],
    });
    await producer.disconnect();
    const place = freshPlace();
    const reference = only(await log.append(rejections(place, 3), since));
    expect(reference.count).toBe(3);
    expect(await scanned(since)).toHaveLength(3);
  });

  it('of a topic that does not exist is an error that names it', async () => {
    await expect(log.watermarks(['azr.nowhere'])).rejects.toThrow(/azr\.nowhere/);
  });
});

describe('partitions', () => {
  it('spread the subjects, and a subject has one of them', async (context) => {
    const count = Object.keys((await log.watermarks([TASKS]))[TASKS] ?? {}).length;
    if (count < 2) context.skip(`the broker's ${TASKS} has ${count} partition`);
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    await log.append(rejections(place, 60), since);
    const partitionOf = new Map<string, number>();
    for (const [partition, , one] of await scanned(since))
      if (one.type === 'TaskRejected') partitionOf.set(one.data.subjectId, partition);
    expect(new Set(partitionOf.values()).size).toBe(count);
    const later = await log.watermarks([TASKS]);
    await log.append(rejections({ ...place, iteration: 2 }, 60), later);
    for (const [partition, , one] of await scanned(later))
      if (one.type === 'TaskRejected') expect(partition).toBe(partitionOf.get(one.data.subjectId));
  });
});

describe('a broker that is killed', () => {
  it('between appends loses and doubles nothing', async (context) => {
    const { service } = kafka;
    if (service === undefined)
      return context.skip('the broker at AZR_TEST_KAFKA_BROKERS is not ours to kill');
    const since = await log.watermarks([TASKS]);
    const place = freshPlace();
    const before = await messages();
    const first = only(await log.append(rejections(place, 500), since));
    await service.kill();
    const waiting = log.append(rejections(place, 1_000), since);
    await service.start();
    const second = only(await waiting);
    expect(idSet(await log.read(first))).toEqual(idSet(rejections(place, 500)));
    expect(idSet(await log.read(second))).toEqual(idSet(rejections(place, 1_000)));
    expect(await messages()).toBe(before + 1_000);
  });

  it('in the middle of an append loses and doubles nothing', async (context) => {
    const { service } = kafka;
    if (service === undefined)
      return context.skip('the broker at AZR_TEST_KAFKA_BROKERS is not ours to kill');
    const since = await log.watermarks([TASKS]);
    const events = rejections(freshPlace(), 20_000);
    const before = await messages();
    const writing = log.append(events, since);
    while ((await messages()) === before) await sleep(5);
    await service.kill();
    await service.start();
    const reference = only(await writing);
    expect(idsOf(await log.read(reference))).toEqual(idsOf(events));
    expect(await messages()).toBe(before + 20_000);
    const again = only(await log.append(events, since));
    expect(again.digest).toBe(reference.digest);
    expect(await messages()).toBe(before + 20_000);
  });
});
