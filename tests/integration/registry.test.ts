/** `schemaRegistry.url`: ids from a Confluent-compatible registry (Apicurio), through the log, the sink and back. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { RangeReader } from '../../pipelines/range-reader.js';
import { RegistrySchemaIds } from '../../pipelines/schema-ids.js';
import { newestSchema } from '../../pipelines/serde.js';
import { runSql } from '../../pipelines/sql.js';
import { eventTopics, topicOf } from '../../pipelines/topics.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { EVENT_TYPES, event, exampleEvent } from '../support/events.js';
import { produce, startProjected, withSink, type Projected } from '../support/projected.js';
import { startRegistry, type TestRegistry } from '../support/registry.js';

const started = await startRegistry();
const registry: TestRegistry | undefined = typeof started === 'string' ? undefined : started;
if (typeof started === 'string') process.stdout.write(`schema registry: skipped, ${started}\n`);
afterAll(() => registry?.end());

describe.skipIf(registry === undefined)('a schema registry', () => {
  const url = registry?.url ?? '';
  const TOPIC = topicOf('RunPaused');
  let stack: Projected;
  let addresses: ServiceAddresses;

  beforeAll(async () => {
    stack = await startProjected(1);
    addresses = { ...stack.addresses, schemaRegistryUrl: url };
  });
  afterAll(() => stack?.end());

  const ask = async <T>(path: string): Promise<T> => (await fetch(`${url}${path}`)).json() as Promise<T>;

  it('is given every type as `<type>-value`; its ids are in the frames, and the same each time', async () => {
    const log = await createEventLog(addresses);
    try {
      expect((await ask<string[]>('/subjects')).sort()).toEqual(
        EVENT_TYPES.map((type) => `${type}-value`).sort(),
      );
      for (const type of EVENT_TYPES) {
        const one = exampleEvent(type, { runId: 'run', iteration: 1, eventId: type });
        const [reference] = await log.append([one], await log.watermarks(eventTopics()));
        if (reference === undefined) throw new Error(`${type} was not appended`);
        expect(await log.read(reference)).toEqual([one]);
      }
      const reader = new RangeReader(addresses.kafkaBrokers);
      const { id } = await ask<{ id: number }>('/subjects/TaskRejected-value/versions/latest');
      const found: number[] = [];
      const end = (await reader.ends([topicOf('TaskRejected')])).get(topicOf('TaskRejected'))?.[0] ?? 0n;
      for await (const { value } of reader.read(topicOf('TaskRejected'), 0, 0n, end))
        found.push(value?.readUInt32BE(1) ?? -1);
      await reader.close();
      expect(found).toContain(id);
      const again = await RegistrySchemaIds.connect(url);
      expect(again.idOf(newestSchema('TaskRejected'))).toBe(id);
    } finally {
      await log.close();
    }
  });

  it('is what the sink decodes with, down to a later version that only the registry knows', async () => {
    await withSink(addresses);
    const count = async (table: string): Promise<unknown> =>
      JSON.parse(
        (
          await runSql(
            addresses,
            `SELECT toInt32(count()) AS n FROM ${table} FINAL WHERE run_id = 'run'`,
            'json',
          )
        ).toString(),
      );
    expect(await count('task_rejected')).toEqual([{ n: 1 }]);
    expect(await count('checkpoint_saved')).toEqual([{ n: 1 }]);

    const schema = JSON.parse(newestSchema('RunPaused').schema) as { fields: object[] };
    const later = JSON.stringify({
      ...schema,
      fields: [...schema.fields, { name: 'by', type: 'string', default: '', doc: 'Who asked.' }],
    });
    const client = new SchemaRegistry({ host: url });
    const { id } = await client.register(
      { type: SchemaType.AVRO, schema: later },
      { subject: 'RunPaused-value' },
    );
    const pause = event('RunPaused', { runId: 'run', iteration: 2 }, ['later'], { reason: 'later' });
    const bytes = await client.encode(id, { envelope: pause.envelope, ...pause.data, by: 'me' });
    await produce(addresses.kafkaBrokers, TOPIC, [{ value: bytes }]);
    await withSink(addresses);
    const answer = await runSql(
      addresses,
      "SELECT reason FROM run_paused FINAL WHERE run_id = 'run' AND iteration = 2",
      'json',
    );
    expect(JSON.parse(answer.toString())).toEqual([{ reason: 'later' }]);
  });

  it('does not know an id that was never registered, and one that does not answer is an error, not an answer', async () => {
    const ids = await RegistrySchemaIds.connect(url);
    await ids.load(987_654_321);
    expect(ids.schemaOf(987_654_321)).toBeUndefined();
    const broken = createServer((_request, response) => {
      response.writeHead(503);
      response.end();
    });
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
    const at = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
    await expect(RegistrySchemaIds.connect(at)).rejects.toThrow();
    await new Promise((resolve) => broken.close(resolve));
  });

  it('that keeps to BACKWARD_TRANSITIVE takes every newest schema and refuses one that cannot read the others', async () => {
    const configured = await fetch(`${url}/config`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ compatibility: 'BACKWARD_TRANSITIVE' }),
    });
    expect(configured.ok).toBe(true);
    await RegistrySchemaIds.connect(url);
    const schema = JSON.parse(newestSchema('RunFailed').schema) as { fields: object[] };
    const breaking = { ...schema, fields: [...schema.fields, { name: 'needed', type: 'string' }] };
    const answer = await fetch(`${url}/subjects/RunFailed-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ schema: JSON.stringify(breaking) }),
    });
    expect(answer.status).toBe(409);
  });
});
