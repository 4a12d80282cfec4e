/** Dead letters: listed once each, told apart by what this code makes of them, retried without doubling a row. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectDeadLetters, readDeadLetters, retryDeadLetters } from '../../pipelines/dead-letters.js';
import { tableDigests } from '../../pipelines/projection.js';
import { derivedId, DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent, newestSchema } from '../../pipelines/serde.js';
import { runSql } from '../../pipelines/sql.js';
import { DEAD_LETTERS_TOPIC, SCHEMAS_TOPIC, topicOf } from '../../pipelines/topics.js';
import { event } from '../support/events.js';
import { produce, startProjected, withSink, type Projected } from '../support/projected.js';

const TOPIC = topicOf('RunPaused');
const ids = new DerivedSchemaIds([]);
let stack: Projected;

beforeAll(async () => {
  stack = await startProjected();
});
afterAll(() => stack?.end());

const runId = (): string => `run-${randomUUID()}`;

async function reasonsOf(run: string): Promise<string[]> {
  const query = `SELECT reason FROM run_paused FINAL WHERE run_id = '${run}' ORDER BY reason`;
  const answer = (await runSql(stack.addresses, query, 'json')).toString();
  return (JSON.parse(answer) as { reason: string }[]).map(({ reason }) => reason);
}

/** A pause written by code whose schema has a field more, under that schema's id. */
function laterPause(run: string): { schema: string; id: number; bytes: Buffer } {
  const schema = JSON.parse(newestSchema('RunPaused').schema) as { fields: object[] };
  const later = JSON.stringify({
    ...schema,
    fields: [...schema.fields, { name: run.replaceAll('-', '_'), type: 'string' }],
  });
  const place = { runId: run, iteration: 1 };
  const bytes = encodeEvent(event('RunPaused', place, ['x'], { reason: 'from a later code' }), ids);
  bytes.writeUInt32BE(derivedId(later), 1);
  return { schema: later, id: derivedId(later), bytes: Buffer.concat([bytes, Buffer.from([4, 0x6d, 0x65])]) };
}

describe('dead letters', () => {
  it('of a schema that was not known are stored by a retry once it is, and by a second retry not again', async () => {
    const run = runId();
    const later = laterPause(run);
    await produce(stack.kafka.brokers, TOPIC, [
      { value: later.bytes, partition: 1 },
      { value: Buffer.from('no event'), partition: 1 },
    ]);
    await withSink(stack.addresses);
    const letters = await readDeadLetters(stack.kafka.brokers);
    const inspected = await inspectDeadLetters(stack.addresses, letters);
    expect(inspected.map(({ reason, state }) => [reason, state])).toEqual([
      ['unknown-schema', 'unreadable'],
      ['bad-magic', 'unreadable'],
    ]);
    expect(letters.map(({ place }) => place)).toEqual([`${TOPIC}/1/0`, `${TOPIC}/1/1`]);
    expect(letters[0]?.value?.equals(later.bytes)).toBe(true);
    expect((await retryDeadLetters(stack.addresses, letters)).map(({ retried }) => retried)).toEqual([
      false,
      false,
    ]);
    expect(await reasonsOf(run)).toEqual([]);

    await produce(stack.kafka.brokers, SCHEMAS_TOPIC, [{ key: String(later.id), value: later.schema }]);
    const states = async (): Promise<string[]> =>
      (await inspectDeadLetters(stack.addresses, letters)).map(({ state }) => state);
    expect(await states()).toEqual(['readable', 'unreadable']);
    const first = await retryDeadLetters(stack.addresses, letters);
    expect(first.map(({ state, retried }) => [state, retried])).toEqual([
      ['stored', true],
      ['unreadable', false],
    ]);
    expect(await reasonsOf(run)).toEqual(['from a later code']);
    const digests = await tableDigests(stack.addresses);
    expect(await states()).toEqual(['stored', 'unreadable']);
    const second = await retryDeadLetters(stack.addresses, letters);
    expect(second.map(({ retried }) => retried)).toEqual([false, false]);
    expect(await tableDigests(stack.addresses)).toEqual(digests);
    expect(digests.get('run_paused')?.rows).toBe(1n);
  });

  it('that a repeated batch buried twice are one letter; what the sink did not write is none', async () => {
    const before = await readDeadLetters(stack.kafka.brokers);
    const [first] = before;
    if (first === undefined) throw new Error('there is no letter to repeat');
    const { Kafka } = await import('kafkajs');
    const producer = new Kafka({ brokers: [...stack.kafka.brokers], logLevel: 0 }).producer();
    await producer.connect();
    const headers = { topic: first.topic, partition: '1', offset: String(first.offset), reason: 'again' };
    await producer.send({
      topic: DEAD_LETTERS_TOPIC,
      messages: [{ key: first.place, value: first.value, headers }, { value: 'from elsewhere' }],
    });
    await producer.disconnect();
    expect(await readDeadLetters(stack.kafka.brokers)).toEqual(before);
  });
});
