/** From the log into ClickHouse: a real broker, the real engine, the sink in this process and as one that is killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { rowsOf, snakeCase } from '../../pipelines/clickhouse/rows.js';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { RangeReader } from '../../pipelines/range-reader.js';
import { derivedId, DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent, newestSchema } from '../../pipelines/serde.js';
import { runSink, storedOffsets } from '../../pipelines/sink.js';
import {
  completeParameters,
  runSql,
  savedQueries,
  savedQuery,
  waitUntilProjected,
} from '../../pipelines/sql.js';
import {
  DEAD_LETTERS_TOPIC,
  ensureTopics,
  eventTopics,
  kafkaClient,
  SCHEMAS_TOPIC,
  topicOf,
} from '../../pipelines/topics.js';
import type { AzrEvent, EventType } from '../../schemas/generated/events.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { repositoryRoot } from '../../src/config/paths.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.js';
import { tablesOf } from '../support/ddl.js';
import { event, EVENT_TYPES, exampleEvent, sampleEvents } from '../support/events.js';
import { startKafka, type TestKafka } from '../support/kafka.js';
import { iterationEvents, runStarted } from '../support/synthetic-run.js';

const TABLES = tablesOf('001_events.sql');
const PATIENCE = { timeoutMs: 30_000 };
const ids = new DerivedSchemaIds([]);

let kafka: TestKafka;
let clickhouse: TestClickHouse;
let log: EventLog;
let addresses: ServiceAddresses;
let client: ClickHouseClient;

const addressesOf = (database: string): ServiceAddresses => ({
  kafkaBrokers: kafka.brokers,
  temporalAddress: 'unused',
  temporalNamespace: 'unused',
  clickhouseUrl: clickhouse.address.clickhouseUrl,
  clickhouseDatabase: database,
});

beforeAll(async () => {
  kafka = await startKafka();
  clickhouse = await startClickHouse();
  await ensureTopics(kafka.brokers, 2);
  log = await createEventLog({ kafkaBrokers: kafka.brokers });
  addresses = addressesOf('azr');
  await migrate(addresses);
  client = clickHouseClient(addresses);
});
afterAll(async () => {
  await client?.close();
  await log?.close();
  await clickhouse?.end();
  await kafka?.end();
});

/** Runs a sink in this process until what is in the log now is in the tables. */
async function project(to: ServiceAddresses = addresses): Promise<void> {
  const stop = new AbortController();
  const errors: Error[] = [];
  const sink = runSink({ addresses: to, signal: stop.signal, onError: (error) => errors.push(error) });
  try {
    await migrate(to);
    const projected = await waitUntilProjected(to, PATIENCE);
    expect({ projected, errors: projected ? [] : errors.map(String) }).toEqual({
      projected: true,
      errors: [],
    });
  } finally {
    stop.abort();
    await sink;
  }
}

async function rows<T>(query: string, on = client): Promise<T[]> {
  return (await on.query({ query, format: 'JSONEachRow' })).json<T>();
}

/** Rows and their digest in every table of events, as the views see them. */
async function digests(of: ServiceAddresses): Promise<Record<string, string>> {
  const on = clickHouseClient(of);
  try {
    const found: Record<string, string> = {};
    for (const type of EVENT_TYPES) {
      const table = snakeCase(type);
      const [row] = await rows<{ n: string; digest: string }>(
        `SELECT toString(count()) AS n, toString(sum(sipHash64(tuple(*)))) AS digest FROM ${table} FINAL`,
        on,
      );
      found[table] = `${row?.n} ${row?.digest}`;
    }
    return found;
  } finally {
    await on.close();
  }
}

async function produce(
  topic: string,
  messages: readonly { key?: string; value: Buffer | string | null; partition?: number }[],
): Promise<void> {
  const producer = kafkaClient(kafka.brokers, 'test').producer();
  await producer.connect();
  await producer.send({ topic, messages: [...messages] });
  await producer.disconnect();
}

const runId = (): string => `run-${randomUUID()}`;

/** Events as the steps would append them: by run and iteration. */
async function append(events: readonly AzrEvent[]): Promise<void> {
  const sets = new Map<string, AzrEvent[]>();
  for (const one of events) {
    const key = `${one.envelope.runId} ${one.envelope.iteration}`;
    sets.set(key, [...(sets.get(key) ?? []), one]);
  }
  for (const set of sets.values()) await log.append(set, await log.watermarks(eventTopics()));
}

/** A value of a row in one form, whichever side it comes from. */
function plain(type: string, value: unknown): unknown {
  const inner = /^(?:LowCardinality|Nullable|Array)\((.*)\)$/.exec(type)?.[1] ?? '';
  if (Array.isArray(value)) return value.map((item) => plain(inner, item));
  if (value === null) return null;
  if (type.startsWith('Nullable') || type.startsWith('LowCardinality')) return plain(inner, value);
  if (type === 'Float32') return Math.fround(Number(value));
  if (type === 'Float64') return Number(value);
  return type.startsWith('Int') || type.startsWith('UInt') ? BigInt(value as string | number) : value;
}

/** Rows of an event as its table holds them, and as they should be; both sorted by the sorting key. */
async function stored(one: AzrEvent): Promise<{ found: unknown[]; wanted: unknown[] }> {
  const { table, rows: expected } = rowsOf(one, { partition: 0, offset: '0' });
  const { columns = [], orderBy = [] } = TABLES.get(table) ?? {};
  const kept = columns.filter(({ name, materialized }) => !materialized && !name.startsWith('log_'));
  const found = await (
    await client.query({
      query: `SELECT * FROM ${table} FINAL WHERE run_id = {run:String} AND event_id = {id:String}`,
      query_params: { run: one.envelope.runId, id: one.envelope.eventId },
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
    })
  ).json<Record<string, unknown>>();
  const shape = (list: readonly Readonly<Record<string, unknown>>[]): unknown[] =>
    list
      .map((row) => Object.fromEntries(kept.map(({ name, type }) => [name, plain(type, row[name])])))
      .map((row) => ({ key: orderBy.map((name) => String(row[name])).join('|'), row }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  return { found: shape(found), wanted: shape(expected) };
}

describe('the sink', () => {
  it.each(EVENT_TYPES.map((type) => [type]))(
    '%s: its rows are in its table, value for value',
    async (type) => {
      const examples = [exampleEvent(type, { runId: runId(), eventId: 'example', iteration: 1 })];
      // Random ones too, where no two rows of an event share a sorting key.
      for (const one of sampleEvents(type, 6, 7)) {
        const { table, rows: made } = rowsOf(one, { partition: 0, offset: '0' });
        const key = TABLES.get(table)?.orderBy ?? [];
        if (new Set(made.map((row) => key.map((name) => row[name]).join('|'))).size < made.length) continue;
        const envelope = { ...one.envelope, runId: runId(), eventId: randomUUID() };
        examples.push({ ...one, envelope });
      }
      await append(examples);
      await project();
      for (const one of examples) {
        const { found, wanted } = await stored(one);
        expect(found).toEqual(wanted);
      }
    },
  );

  it('keeps numbers that are none: nan and infinities', async () => {
    const one = exampleEvent('LearnerStepped', { runId: runId(), eventId: 'nan' });
    const odd = {
      ...one,
      data: { ...one.data, loss: NaN, gradNorm: Infinity, entropy: -Infinity },
    } as AzrEvent;
    await append([odd]);
    await project();
    const found = await rows<object>(
      `SELECT toString(loss) AS loss, toString(grad_norm) AS grad_norm, toString(entropy) AS entropy
       FROM learner_stepped WHERE run_id = '${odd.envelope.runId}'`,
    );
    expect(found).toEqual([{ loss: 'nan', grad_norm: 'inf', entropy: '-inf' }]);
  });

  it('shows one row for a fact that stands in the log twice: the first write', async () => {
    const place = { runId: runId(), iteration: 1 };
    const twice = ['first', 'second'].map((reason) => event('RunPaused', place, ['same'], { reason }));
    // Behind the log's back: a writer that did not look.
    for (const one of twice)
      await produce(topicOf('RunPaused'), [{ key: place.runId, value: encodeEvent(one, ids) }]);
    await project();
    const found = await rows<object>(`SELECT reason FROM run_paused FINAL WHERE run_id = '${place.runId}'`);
    expect(found).toEqual([{ reason: 'first' }]);
  });

  it('repeats what was stored before its offset was: equal digests, no row more', async () => {
    const place = { runId: runId(), iteration: 1 };
    const many = Array.from({ length: 300 }, (_, i) => event('RunPaused', place, [i], { reason: String(i) }));
    await append(many);
    await project();
    const before = await digests(addresses);
    const offsets = await storedOffsets(clickHouseClient(addresses));
    // As if killed between rows and offset: the rows are there, the offsets are those of an earlier time.
    await client.command({ query: 'TRUNCATE TABLE sink_offsets' });
    await client.insert({
      table: 'sink_offsets',
      format: 'JSONEachRow',
      values: [...offsets].map(([key, next], i) => {
        const [topic, partition] = key.split('/');
        return { topic, log_partition: Number(partition), next_offset: String(i % 2 === 0 ? next / 2n : 0n) };
      }),
    });
    await project();
    expect(await digests(addresses)).toEqual(before);
    expect(await storedOffsets(client)).toEqual(offsets);
  });

  it('killed with kill -9 at any moment ends with the rows of one that was not', async () => {
    for (let run = 0; run < 2; run++) {
      const place = { runId: runId(), iteration: 1 };
      const many = Array.from({ length: 3_000 }, (_, i) =>
        exampleEvent(i % 2 === 0 ? 'TaskRejected' : 'ProposalSampled', { ...place, eventId: `${i}` }),
      );
      await log.append(many, await log.watermarks(eventTopics()));
    }
    const killed = addressesOf('killed');
    await migrate(killed);
    for (let life = 0; life < 4; life++) {
      const child = sinkProcess(killed);
      await once(child.stdout ?? child, 'data');
      await sleep(60 * life);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const last = sinkProcess(killed);
    expect(await waitUntilProjected(killed, PATIENCE)).toBe(true);
    last.kill('SIGKILL');
    await once(last, 'exit');
    const whole = addressesOf('whole');
    await project(whole);
    expect(await digests(killed)).toEqual(await digests(whole));
    expect((await digests(whole))['task_rejected']).toMatch(/^[1-9]/);
  });

  it('goes on when the database was killed and came back', async () => {
    const place = { runId: runId(), iteration: 1 };
    const stop = new AbortController();
    const sink = runSink({ addresses, signal: stop.signal });
    try {
      await append([event('RunPaused', place, ['a'], { reason: 'before' })]);
      expect(await waitUntilProjected(addresses, PATIENCE)).toBe(true);
      await clickhouse.service.kill();
      await append([event('RunPaused', place, ['b'], { reason: 'meanwhile' })]);
      await clickhouse.service.start();
      expect(await waitUntilProjected(addresses, PATIENCE)).toBe(true);
    } finally {
      stop.abort();
      await sink;
    }
    const found = await rows<{ reason: string }>(
      `SELECT reason FROM run_paused FINAL WHERE run_id = '${place.runId}' ORDER BY reason`,
    );
    expect(found.map(({ reason }) => reason)).toEqual(['before', 'meanwhile']);
  });
});

function sinkProcess(to: ServiceAddresses): ChildProcess {
  const program = path.join(repositoryRoot(), 'tests/support/sink-main.mjs');
  const args = [program, to.kafkaBrokers.join(','), to.clickhouseUrl, to.clickhouseDatabase];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

interface DeadLetter {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Record<string, string>;
}

/** Letters from an offset on; headers by kafkajs, whose reader gives them. */
async function deadLetters(from: bigint): Promise<DeadLetter[]> {
  const reader = new RangeReader(kafka.brokers);
  const end = (await reader.ends([DEAD_LETTERS_TOPIC])).get(DEAD_LETTERS_TOPIC)?.[0] ?? 0n;
  await reader.close();
  const found: DeadLetter[] = [];
  if (from >= end) return found;
  const consumer = kafkaClient(kafka.brokers, 'test').consumer({ groupId: `test-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: DEAD_LETTERS_TOPIC, fromBeginning: true });
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: ({ message }) => {
        if (BigInt(message.offset) >= from)
          found.push({
            key: String(message.key),
            value: message.value,
            headers: Object.fromEntries(
              Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
            ),
          });
        if (BigInt(message.offset) + 1n >= end) resolve();
        return Promise.resolve();
      },
    });
  });
  await consumer.disconnect();
  return found;
}

describe('dead letters', () => {
  const TOPIC = topicOf('RunPaused');
  const end = async (topic: string): Promise<bigint> => {
    const reader = new RangeReader(kafka.brokers);
    const ends = (await reader.ends([topic])).get(topic) ?? [];
    await reader.close();
    return ends[0] ?? 0n;
  };

  it('carry the reason, the origin and the bytes; the sink goes on', async () => {
    await project();
    const place = { runId: runId(), iteration: 1 };
    const good = event('RunPaused', place, ['good'], { reason: 'good' });
    const goodBytes = encodeEvent(good, ids);
    // A time that no calendar of the database has.
    const late = event('RunPaused', place, ['late'], { reason: 'late' }, { occurredAt: 2 ** 52 });
    const farAway = event(
      'RunPaused',
      place,
      ['far'],
      { reason: 'far' },
      { occurredAt: Date.UTC(2900, 0, 1) },
    );
    const bad: [string, Buffer | null][] = [
      ['too-short', Buffer.from('abc')],
      ['bad-magic', Buffer.from('not avro at all')],
      ['unknown-schema', Buffer.from([0, 0, 0, 0x30, 0x39, 1, 2, 3])],
      ['bad-body', goodBytes.subarray(0, goodBytes.length - 3)],
      ['empty', null],
      ['bad-row', encodeEvent(late, ids)],
      ['bad-row', encodeEvent(farAway, ids)],
    ];
    const [from, first] = [await end(DEAD_LETTERS_TOPIC), await end(TOPIC)];
    await produce(TOPIC, [
      ...bad.map(([, value]) => ({ value, partition: 0 })),
      { value: goodBytes, partition: 0 },
    ]);
    await project();
    const letters = await deadLetters(from);
    expect(letters.map(({ headers }) => headers['reason'])).toEqual(bad.map(([reason]) => reason));
    letters.forEach((letter, i) => {
      expect(letter.key).toBe(`${TOPIC}/0/${first + BigInt(i)}`);
      expect(letter.headers).toMatchObject({
        topic: TOPIC,
        partition: '0',
        offset: String(first + BigInt(i)),
      });
      expect(letter.headers['detail']).not.toBe('');
      expect(letter.value?.toString('hex')).toBe(bad[i]?.[1]?.toString('hex'));
    });
    expect(await rows(`SELECT reason FROM run_paused FINAL WHERE run_id = '${place.runId}'`)).toEqual([
      { reason: 'good' },
    ]);
  });

  it('a later schema that the schemas topic holds is read; the field that this code lacks is left out', async () => {
    const schema = JSON.parse(newestSchema('RunPaused').schema) as { fields: object[] };
    const later = JSON.stringify({
      ...schema,
      fields: [...schema.fields, { name: 'by', type: 'string', doc: 'Who asked.' }],
    });
    const place = { runId: runId(), iteration: 1 };
    const bytes = encodeEvent(event('RunPaused', place, ['later'], { reason: 'later' }), ids);
    bytes.writeUInt32BE(derivedId(later), 1);
    const from = await end(DEAD_LETTERS_TOPIC);
    await produce(SCHEMAS_TOPIC, [{ key: String(derivedId(later)), value: later }]);
    await produce(TOPIC, [{ value: Buffer.concat([bytes, Buffer.from([4, 0x6d, 0x65])]), partition: 0 }]);
    await project();
    expect(await rows(`SELECT reason FROM run_paused FINAL WHERE run_id = '${place.runId}'`)).toEqual([
      { reason: 'later' },
    ]);
    expect(await deadLetters(from)).toEqual([]);
  });
});

describe('the views of a run', () => {
  const run = runId();
  const one = <T>(query: string): Promise<T[]> => rows<T>(query.replaceAll('RUN', `'${run}'`));

  beforeAll(async () => {
    const config = await resolveRunConfig('tiny');
    await append([
      runStarted(run, config),
      ...iterationEvents(run, 1, config, {}),
      ...iterationEvents(run, 2, config, {}),
    ]);
    await project();
  });

  it('runs', async () => {
    const [row] = await one<Record<string, unknown>>('SELECT * FROM runs WHERE run_id = RUN');
    expect(row).toMatchObject({ preset: 'tiny', status: 'running', iteration: 2, code_version: 'test' });
    expect(row?.['last_seen_at']).toBe('2026-01-01 00:02:00.000');
  });

  it('runs: each status', async () => {
    const config = await resolveRunConfig('tiny');
    const history: Record<string, [EventType, object][]> = {
      running: [
        ['RunPaused', { reason: 'asked' }],
        ['RunResumed', { reason: 'asked' }],
      ],
      paused: [['RunPaused', { reason: 'asked' }]],
      completed: [['RunCompleted', { iterations: 1, reason: 'iterations' }]],
      failed: [['RunFailed', { error: 'broken', step: 'solve' }]],
    };
    for (const [status, facts] of Object.entries(history)) {
      const id = runId();
      await append([
        runStarted(id, config),
        ...facts.map(([type, data]) =>
          event(type, { runId: id, iteration: 1 }, ['x'], data as never, {
            occurredAt: Date.UTC(2026, 0, 2),
          }),
        ),
      ]);
      await project();
      const found = await rows<Record<string, unknown>>(`SELECT * FROM runs WHERE run_id = '${id}'`);
      expect(found).toHaveLength(1);
      expect(found[0]?.['status']).toBe(status);
      if (status === 'failed') expect(found[0]?.['error']).toBe('broken');
      if (status === 'completed') expect(found[0]?.['end_reason']).toBe('iterations');
    }
  });

  it('runs: one that failed, was resumed and went on is running, and completed when it completes', async () => {
    const config = await resolveRunConfig('tiny');
    const id = runId();
    const at = (second: number): object => ({ occurredAt: Date.UTC(2026, 0, 1, 0, 0, second) });
    const status = async (): Promise<unknown> => {
      await project();
      return (await rows<{ status: string }>(`SELECT status FROM runs WHERE run_id = '${id}'`))[0]?.status;
    };
    await append([runStarted(id, config), ...iterationEvents(id, 1, config, {})]);
    await append([event('RunFailed', { runId: id, iteration: 2 }, [], { error: 'e', step: 's' }, at(90))]);
    expect(await status()).toBe('failed');
    await append(iterationEvents(id, 2, config, {}));
    expect(await status()).toBe('running');
    await append([
      event('RunCompleted', { runId: id, iteration: 2 }, [], { iterations: 2, reason: 'stopped' }, at(180)),
    ]);
    expect(await status()).toBe('completed');
  });

  it('runs: one that failed behind its last iteration and then completed is completed', async () => {
    const id = runId();
    const at = (second: number): object => ({ occurredAt: Date.UTC(2026, 0, 1, 0, 0, second) });
    const place = { runId: id, iteration: 1 };
    await append([
      runStarted(id, await resolveRunConfig('tiny')),
      ...iterationEvents(id, 1, await resolveRunConfig('tiny'), {}),
      event('RunFailed', place, [], { error: 'e', step: 'evaluate' }, at(90)),
      event('RunCompleted', place, [], { iterations: 1, reason: 'iterations' }, at(120)),
    ]);
    await project();
    const found = await rows(`SELECT status, error FROM runs WHERE run_id = '${id}'`);
    expect(found).toEqual([{ status: 'completed', error: '' }]);
  });

  it('iterations', async () => {
    const found = await one<Record<string, unknown>>(
      'SELECT * FROM iterations WHERE run_id = RUN ORDER BY iteration',
    );
    expect(found).toHaveLength(2);
    expect(found[1]).toMatchObject({
      iteration: 2,
      proposals: 5,
      accepted: 3,
      rejected: 2,
      solutions: 16,
      solve_rate_deduction: 0.4,
      solve_rate_abduction: 0.6,
      loss: 0.25,
      entropy: 1.5,
      held_out_accuracy: 24 / 40,
      duration_ms: 400,
      checkpoint_version: 2,
    });
  });

  it('task_history', async () => {
    const found = await one<Record<string, unknown>>(
      'SELECT * FROM task_history WHERE run_id = RUN AND iteration = 1 ORDER BY kind DESC, code DESC',
    );
    const facts = found.map((row) => [
      row['learnability'],
      Number(row['attempts']),
      Number(row['correct']),
      row['solve_rate'],
    ]);
    expect(found.map((row) => row['inputs'])).toEqual([['2'], ['4'], ['5']]);
    expect(facts).toEqual([
      [0.5, 6, 4, 4 / 6],
      [0, 4, 0, 0],
      [0.25, 6, 4, 4 / 6],
    ]);
  });

  it('task_history: a task that was never tried has no learnability and no rate', async () => {
    const seed = exampleEvent('TaskAccepted', { runId: runId(), iteration: 0 });
    await append([seed]);
    await project();
    const found = await rows(
      `SELECT learnability, toInt32(attempts) AS attempts, solve_rate FROM task_history WHERE run_id = '${seed.envelope.runId}'`,
    );
    expect(found).toEqual([{ learnability: null, attempts: 0, solve_rate: 0 }]);
  });

  it('solutions', async () => {
    const found = await one<Record<string, unknown>>(
      `SELECT purpose, toInt32(count()) AS n, toInt32(countIf(correct)) AS right, toInt32(countIf(reason = 'no-answer')) AS none,
         toInt32(sum(completion_tokens)) AS tokens
       FROM solutions WHERE run_id = RUN GROUP BY purpose ORDER BY purpose`,
    );
    expect(found).toEqual([
      { purpose: 'learnability', n: 24, right: 10, none: 2, tokens: 48 },
      { purpose: 'solve', n: 8, right: 6, none: 2, tokens: 16 },
    ]);
  });

  it('rewards', async () => {
    const found = await one<Record<string, unknown>>(
      `SELECT role, kind, toInt32(count()) AS n, sum(reward) AS total FROM rewards WHERE run_id = RUN AND iteration = 1
       GROUP BY role, kind ORDER BY role, kind`,
    );
    // Proposals: 1/2; unsolved -1/2; 1/4; a repeat -1/2; no program -1. Attempts: 1 right, -1/2 wrong, -1 unformed.
    expect(found).toEqual([
      { role: 'propose', kind: 'abduction', n: 1, total: 0.25 },
      { role: 'propose', kind: 'deduction', n: 4, total: 0.5 - 0.5 - 0.5 - 1 },
      { role: 'solve', kind: 'abduction', n: 6, total: 3 - 0.5 + (1 - 1) },
      { role: 'solve', kind: 'deduction', n: 10, total: 2 - 0.5 - 1 - 2 + 2 },
    ]);
  });

  it('evaluations', async () => {
    const found = await one<Record<string, unknown>>(
      'SELECT iteration, kind, bucket, count, correct, accuracy FROM evaluations WHERE run_id = RUN ORDER BY iteration, kind, bucket',
    );
    expect(found).toHaveLength(6);
    expect(found[0]).toEqual({
      iteration: 1,
      kind: 'abduction',
      bucket: '1',
      count: 20,
      correct: 11,
      accuracy: 0.55,
    });
    expect(found[5]).toEqual({
      iteration: 2,
      kind: 'deduction',
      bucket: '2',
      count: 10,
      correct: 4,
      accuracy: 0.4,
    });
  });

  it('programs', async () => {
    const found = await one<Record<string, unknown>>(
      'SELECT code, toInt32(tasks) AS tasks, first_iteration, last_iteration, kinds FROM programs WHERE run_id = RUN ORDER BY code',
    );
    expect(found).toHaveLength(3);
    expect(found[1]).toMatchObject({ tasks: 2, first_iteration: 1, last_iteration: 2, kinds: ['deduction'] });
  });

  it('policies', async () => {
    const found = await one<Record<string, unknown>>(
      'SELECT version, digest, parent_digest, warm_up FROM policies WHERE run_id = RUN ORDER BY version',
    );
    expect(found).toEqual([
      { version: 1, digest: 'digest-1', parent_digest: 'digest-0', warm_up: false },
      { version: 2, digest: 'digest-2', parent_digest: 'digest-1', warm_up: false },
    ]);
  });

  it('every saved query that tells the run tells this one', async () => {
    for (const { name } of await savedQueries()) {
      const query = await savedQuery(name);
      const values = await completeParameters(addresses, query, {});
      if ('run' in values) values['run'] = run;
      const answer = JSON.parse((await runSql(addresses, query, 'json', values)).toString()) as {
        run_id?: string;
      }[];
      if (answer.length > 0 && answer.every((row) => 'run_id' in row))
        expect({ name, found: answer.some(({ run_id }) => run_id === run) }).toEqual({ name, found: true });
    }
  });
});

describe('sql', () => {
  const sql = async (query: string, format: 'json' | 'csv' | 'parquet' | 'table' = 'json'): Promise<string> =>
    (await runSql(addresses, query, format)).toString('latin1');

  it('answers in every format', async () => {
    const query = "SELECT * FROM (SELECT 1 AS a, 'x,y' AS b UNION ALL SELECT 2, 'z') ORDER BY a";
    expect(JSON.parse(await sql(query))).toEqual([
      { a: 1, b: 'x,y' },
      { a: 2, b: 'z' },
    ]);
    expect(JSON.parse(await sql('SELECT 1 AS a WHERE 0'))).toEqual([]);
    expect(await sql(query, 'csv')).toBe('"a","b"\n1,"x,y"\n2,"z"\n');
    const parquet = await sql(query, 'parquet');
    expect([parquet.slice(0, 4), parquet.slice(-4)]).toEqual(['PAR1', 'PAR1']);
    expect(await sql(query, 'table')).toMatch(/x,y/);
  });

  it('takes a semicolon and comments', async () => {
    expect(JSON.parse(await sql('-- how many\nSELECT 1 AS a; -- done'))).toEqual([{ a: 1 }]);
    expect(JSON.parse(await sql('/* why */ WITH 1 AS x SELECT x AS a;'))).toEqual([{ a: 1 }]);
    expect(JSON.parse(await sql("-- a\n-- b\n/* c */\nSELECT ';' AS a"))).toEqual([{ a: ';' }]);
  });

  it.each([
    "INSERT INTO run_paused (event_id) VALUES ('x')",
    'DROP TABLE run_paused',
    'TRUNCATE TABLE run_paused',
    'ALTER TABLE run_paused DELETE WHERE 1',
    'CREATE TABLE t (a Int8) ENGINE = Memory',
    'SELECT 1; DROP TABLE run_paused',
    '/* SELECT */ DROP TABLE run_paused',
    'EXPLAIN SELECT 1; TRUNCATE TABLE run_paused',
    "SELECT '\\'; -- '; DROP TABLE run_paused",
    "SELECT $$'$$; DROP TABLE run_paused; SELECT $$'$$",
    'CREATE TEMPORARY TABLE t (a Int8)',
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    'SELECT 1 SETTINGS readonly = 0',
    'WITH 1 AS x INSERT INTO migrations (name) SELECT toString(x)',
    "INSERT INTO FUNCTION file('/tmp/azr-sql-test.csv') SELECT 1",
    "SELECT 1 INTO OUTFILE '/tmp/azr-sql-test.csv'",
    'SET max_threads = 1',
    'USE default',
    'SYSTEM FLUSH LOGS',
    'OPTIMIZE TABLE run_paused FINAL',
  ])('refuses to write: %s', async (query) => {
    const before = await digests(addresses);
    await expect(sql(query)).rejects.toThrow('the query is refused');
    expect(await digests(addresses)).toEqual(before);
    expect(await rows('SELECT 1 AS a')).toEqual([{ a: 1 }]);
  });

  it('the endpoint itself keeps to read-only: a statement that this code lets through is refused there', async () => {
    const ask = async (query: string, settings = 'readonly=1'): Promise<string> =>
      (
        await fetch(`${addresses.clickhouseUrl}/?database=azr&${settings}`, { method: 'POST', body: query })
      ).text();
    expect(await ask('SELECT 1')).toBe('1\n');
    expect(await ask('SELECT 1; DROP TABLE run_paused')).toMatch(/^Code: 62.*Multi-statements/);
    expect(await ask('DROP TABLE run_paused')).toMatch(/^Code: 164.*READONLY/);
    expect(await ask("INSERT INTO migrations (name) VALUES ('x')")).toMatch(/^Code: 164.*READONLY/);
    expect(await ask("SELECT 1 INTO OUTFILE '/tmp/azr-sql-test.csv'", '')).toMatch(/^Code: 344/);
    expect(await ask('USE default', '')).toMatch(/^Code: 48/);
    expect(existsSync('/tmp/azr-sql-test.csv')).toBe(false);
  });

  it.each([
    ['SELEC 1', /Syntax error/],
    ['SELECT * FROM run_strated', /run_strated/],
    ['SELECT no_such_column FROM runs', /no_such_column/],
    ['SELECT count( FROM runs', /Syntax error|syntax/i],
    ['', /./],
  ])('names what is wrong with %j', async (query, said) => {
    await expect(sql(query)).rejects.toThrow(said);
  });

  it('names the nearest saved query', async () => {
    await expect(savedQuery('learning-cruve')).rejects.toThrow('did you mean learning-curve?');
    await expect(savedQuery('../migrations/001_events')).rejects.toThrow('Accepted are');
  });
});

// Last: it takes away the beginning of a topic that the others read.
describe('a log that has lost its beginning', () => {
  it('is reported with its offsets; the sink goes on with what is there, and nothing else is lost', async () => {
    const { data } = exampleEvent('TaskRejected');
    const place = { runId: runId(), iteration: 1 };
    // Of one subject, so in one partition, one behind the other.
    const [lost, one] = ['lost', 'kept'].map((name) => event('TaskRejected', place, [name], data as never));
    if (lost === undefined || one === undefined) throw new Error('two events are made');
    const topic = topicOf('TaskRejected');
    const [first] = await append([lost, one]).then(async () => {
      const found = [];
      for await (const { partition, offset, event: e } of log.scan(topic, {}))
        if (e.envelope.eventId === one.envelope.eventId) found.push({ partition, offset });
      return found;
    });
    if (first === undefined) throw new Error('the event is not in the log');
    const admin = kafkaClient(kafka.brokers, 'test').admin();
    await admin.connect();
    await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.deleteTopicRecords({ topic, partitions: [first] });
    await admin.disconnect();

    const fresh = addressesOf('after_the_gap');
    const stop = new AbortController();
    const errors: string[] = [];
    const sink = runSink({
      addresses: fresh,
      signal: stop.signal,
      onError: (error) => errors.push(error.message),
    });
    try {
      await migrate(fresh);
      expect(await waitUntilProjected(fresh, PATIENCE)).toBe(true);
    } finally {
      stop.abort();
      await sink;
    }
    expect(errors).toEqual([
      `the log has a gap: ${topic}, partition ${first.partition}, lacks the offsets 0 to ${Number(first.offset) - 1}; events in it are lost to whoever reads this log`,
    ]);
    const on = clickHouseClient(fresh);
    const kept = await rows<{ event_id: string }>(
      `SELECT event_id FROM task_rejected WHERE log_partition = ${first.partition} ORDER BY log_offset LIMIT 1`,
      on,
    );
    await on.close();
    expect(kept).toEqual([{ event_id: one.envelope.eventId }]);
  });
});
