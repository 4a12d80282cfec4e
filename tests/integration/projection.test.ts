/** The projection built anew: the same rows, with the sink going on, and a damaged table named and mended. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clickHouseClient } from '../../pipelines/clickhouse/client.js';
import { rebuildProjection, tableDigests } from '../../pipelines/projection.js';
import { DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent } from '../../pipelines/serde.js';
import { storedOffsets } from '../../pipelines/sink.js';
import { DEAD_LETTERS_TOPIC, topicOf } from '../../pipelines/topics.js';
import { RangeReader } from '../../pipelines/range-reader.js';
import { EVENT_TYPES, event, exampleEvent, sampleEvents } from '../support/events.js';
import { appendAll, produce, startProjected, withSink, type Projected } from '../support/projected.js';

let stack: Projected;
const runId = (): string => `run-${randomUUID()}`;
const different = (tables: Awaited<ReturnType<typeof rebuildProjection>>): string[] =>
  tables.filter(({ equal }) => !equal).map(({ table }) => table);

beforeAll(async () => {
  stack = await startProjected();
  const { log, addresses, kafka } = stack;
  await appendAll(
    log,
    EVENT_TYPES.flatMap((type) => [
      exampleEvent(type, { runId: runId(), eventId: 'example', iteration: 1 }),
      ...sampleEvents(type, 5, 3).map((one) => ({
        ...one,
        envelope: { ...one.envelope, runId: runId(), eventId: randomUUID() },
      })),
    ]),
  );
  // A fact that stands twice, and a message that is none: neither may count.
  const place = { runId: runId(), iteration: 1 };
  await produce(kafka.brokers, topicOf('RunPaused'), [
    ...['first', 'second'].map((reason) => ({
      key: place.runId,
      value: encodeEvent(event('RunPaused', place, ['same'], { reason }), new DerivedSchemaIds([])),
    })),
    { value: 'no event' },
  ]);
  await withSink(addresses);
});
afterAll(() => stack?.end());

async function deadLetterCount(): Promise<bigint> {
  const reader = new RangeReader(stack.kafka.brokers);
  const ends = await reader.ends([DEAD_LETTERS_TOPIC]);
  await reader.close();
  return ends.get(DEAD_LETTERS_TOPIC)?.[0] ?? 0n;
}

describe('a rebuilt projection', () => {
  it('has every row that the sink had, in every table, and buries nothing again', async () => {
    const [before, letters] = [await tableDigests(stack.addresses), await deadLetterCount()];
    const tables = await rebuildProjection(stack.addresses);
    expect(different(tables)).toEqual([]);
    expect(tables).toHaveLength(EVENT_TYPES.length);
    for (const { table, after } of tables) {
      expect({ table, some: after.rows > 0n && after.digest > 0n }).toEqual({ table, some: true });
    }
    expect(await tableDigests(stack.addresses)).toEqual(before);
    expect(await deadLetterCount()).toBe(letters);
    expect(letters).toBe(1n);
  });

  it('names a table that had lost a row or held a changed one, and mends it', async () => {
    const good = await tableDigests(stack.addresses);
    const client = clickHouseClient(stack.addresses);
    const change = { mutations_sync: '2' } as const;
    await client.command({
      query: "ALTER TABLE task_rejected DELETE WHERE event_id = 'example'",
      clickhouse_settings: change,
    });
    await client.command({
      query: "ALTER TABLE proposal_sampled UPDATE completion_text = 'other' WHERE event_id = 'example'",
      clickhouse_settings: change,
    });
    await client.close();
    expect(different(await rebuildProjection(stack.addresses))).toEqual([
      'proposal_sampled',
      'task_rejected',
    ]);
    expect(await tableDigests(stack.addresses)).toEqual(good);
    expect(different(await rebuildProjection(stack.addresses))).toEqual([]);
  });

  it('misses nothing that is written and stored while it is built', async () => {
    const { log, addresses } = stack;
    let writing = true;
    let written = 0;
    const write = async (): Promise<void> => {
      for (; writing; written += 40) {
        const place = { runId: 'meanwhile', iteration: 1 };
        const many = Array.from({ length: 40 }, (_, i) =>
          exampleEvent('TaskRejected', { ...place, eventId: `${written + i}` }),
        );
        await log.append(many, await log.watermarks([topicOf('TaskRejected')]));
        await sleep(50);
      }
    };
    await withSink(addresses, async () => {
      const writer = write();
      for (let i = 0; i < 2; i++) expect(different(await rebuildProjection(addresses))).toEqual([]);
      writing = false;
      await writer;
    });
    const client = clickHouseClient(addresses);
    const answer = await client.query({
      query: "SELECT toInt32(count()) AS n FROM task_rejected FINAL WHERE run_id = 'meanwhile'",
      format: 'JSONEachRow',
    });
    expect(await answer.json()).toEqual([{ n: written }]);
    expect(written).toBeGreaterThan(0);
    const offsets = await storedOffsets(client);
    await client.close();
    expect(different(await rebuildProjection(addresses))).toEqual([]);
    expect(offsets.size).toBeGreaterThan(0);
  });

  it('of a database that was dropped is whole', async () => {
    const good = await tableDigests(stack.addresses);
    const client = clickHouseClient(stack.addresses, 'default');
    await client.command({ query: `DROP DATABASE ${stack.addresses.clickhouseDatabase} SYNC` });
    await client.close();
    const tables = await rebuildProjection(stack.addresses);
    // Nothing was known before, so nothing is compared.
    expect(tables.every(({ before, equal }) => before.rows === 0n && equal)).toBe(true);
    expect(await tableDigests(stack.addresses)).toEqual(good);
  });
});
