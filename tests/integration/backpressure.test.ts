/**
 * Backpressure, on a real broker and the real engine. A store that does not answer: the sink reads one batch ahead and no
 * more, and afterwards everything is there once, in order. A broker that does not answer: `append` waits, and with it the
 * step that called it; one request is under way, and nothing is lost or doubled.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '@platformatic/kafka';
import { Kafka, type Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import type { EventLog } from '../../pipelines/event-log.js';
import { BATCH_MESSAGES, createEventLog } from '../../pipelines/kafka-event-log.js';
import { RangeReader } from '../../pipelines/range-reader.js';
import { runSink } from '../../pipelines/sink.js';
import { waitUntilProjected } from '../../pipelines/sql.js';
import { ensureTopics, eventTopics, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.js';
import { event } from '../support/events.js';
import { HttpProxy, writtenTable, type Answer } from '../support/http-proxy.js';
import { startKafka, type TestKafka } from '../support/kafka.js';

const TOPIC = topicOf('TaskRejected');
const MESSAGES = 4_000;
const BATCH = 100;
/** Random characters compress badly: the log is many times what one fetch holds. */
const DETAIL = 4_000;

let kafka: TestKafka;
let clickhouse: TestClickHouse;

beforeAll(async () => {
  kafka = await startKafka();
  clickhouse = await startClickHouse();
  await ensureTopics(kafka.brokers, 1);
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await clickhouse?.end();
  await kafka?.end();
});

const noise = (length: number): string =>
  Array.from({ length: Math.ceil(length / 32) }, () => randomUUID().replaceAll('-', '')).join('');

const rejections = (runId: string, count: number, detail = 0): AzrEvent[] =>
  Array.from({ length: count }, (_, index) =>
    event('TaskRejected', { runId, iteration: 1 }, [index], {
      subjectId: `${index}`,
      proposalId: `${index}`,
      origin: 'proposal',
      kind: 'deduction',
      index,
      reason: 'unparsable',
      detail: noise(detail),
      formatOk: true,
      code: null,
      sourceLine: null,
    }),
  );

/** Holds every write of rows until it is let through; what was written is known by its deduplication tokens. */
class Gate extends HttpProxy {
  readonly tokens: string[] = [];
  #open = false;
  readonly #waiting: (() => void)[] = [];

  static async before(target: string): Promise<Gate> {
    const gate = new Gate(target);
    await gate.listen();
    return gate;
  }

  get held(): number {
    return this.#waiting.length;
  }

  open(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  protected override async pass(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    const url = incoming.url ?? '';
    const token = new URL(url, 'http://localhost').searchParams.get('insert_deduplication_token');
    if (writtenTable(url, body)?.endsWith('task_rejected') === true && token !== null) {
      this.tokens.push(token);
      if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else await sleep(5);
    }
    return this.forward(incoming, body);
  }
}

/** Waits until a count has not changed for a while. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1; ;) {
    const now = count();
    if (now === last) return now;
    last = now;
    await sleep(1_500);
  }
}

describe('a store that does not answer', () => {
  it('stops the sink one batch ahead; nothing is lost, and all comes in order', async () => {
    const runId = `run-${randomUUID()}`;
    const log = await createEventLog({ kafkaBrokers: kafka.brokers });
    await log.append(rejections(runId, MESSAGES, DETAIL), {});
    await log.close();

    const gate = await Gate.before(clickhouse.address.clickhouseUrl);
    const direct = {
      kafkaBrokers: kafka.brokers,
      temporalAddress: 'unused',
      temporalNamespace: 'unused',
      ...clickhouse.address,
    };
    await migrate(direct);
    let read = 0;
    const original = Object.getOwnPropertyDescriptor(RangeReader.prototype, 'read')
      ?.value as RangeReader['read'];
    vi.spyOn(RangeReader.prototype, 'read').mockImplementation(async function* (this: RangeReader, ...args) {
      for await (const message of original.apply(this, args)) {
        if (args[0] === TOPIC) read += 1;
        yield message;
      }
    });
    const fetch = vi.spyOn(Consumer.prototype, 'fetch');
    const stop = new AbortController();
    const errors: Error[] = [];
    const sink = runSink({
      addresses: { ...direct, clickhouseUrl: gate.url },
      signal: stop.signal,
      batchMessages: BATCH,
      onError: (error) => errors.push(error),
    });
    const client = clickHouseClient(direct);
    try {
      while (gate.held === 0) await sleep(20);
      expect(await settled(() => read)).toBe(2 * BATCH);
      // Messages at hand, and one answer of the broker of at most 2 MiB on its way: the log holds eight times that.
      const fetches = fetch.mock.calls.length;
      await sleep(1_000);
      expect([read, fetch.mock.calls.length, gate.held]).toEqual([2 * BATCH, fetches, 1]);
      expect(fetches).toBeLessThan(eventTopics().length + 4);

      gate.open();
      const projected = await waitUntilProjected(direct, { timeoutMs: 120_000 });
      expect({ projected, errors: errors.map(String) }).toEqual({ projected: true, errors: [] });
      // Batch after batch, each where the one before ended.
      const ranges = gate.tokens.map((token) => (token.split(':')[2] ?? '').split('-').map(Number));
      expect(ranges.map(([first]) => first)).toEqual(ranges.map((_, i) => i * BATCH));
      expect(ranges.at(-1)?.[1]).toBe(MESSAGES - 1);
      const answer = await client.query({
        query: `SELECT toUInt32(count()) AS n, toUInt32(uniqExact(proposal_id)) AS different FROM task_rejected WHERE run_id = '${runId}'`,
        format: 'JSONEachRow',
      });
      expect(await answer.json()).toEqual([{ n: MESSAGES, different: MESSAGES }]);
    } finally {
      gate.open();
      stop.abort();
      await sink;
      await client.close();
      await gate.end();
    }
  });
});

describe('a broker that does not answer', () => {
  it('holds up who appends; one request is under way, and all is there once and in order', async (context) => {
    const { service } = kafka;
    if (service === undefined)
      return context.skip('the broker at AZR_TEST_KAFKA_BROKERS is not ours to kill');
    let [underWay, most] = [0, 0];
    const sizes: number[] = [];
    const original = Object.getOwnPropertyDescriptor(Kafka.prototype, 'producer')?.value as Kafka['producer'];
    vi.spyOn(Kafka.prototype, 'producer').mockImplementation(function (this: Kafka, options) {
      const producer = original.call(this, options);
      const send: Producer['send'] = async (record) => {
        if (record.topic !== TOPIC) return producer.send(record);
        sizes.push(record.messages.length);
        most = Math.max(most, ++underWay);
        try {
          return await producer.send(record);
        } finally {
          underWay -= 1;
        }
      };
      return { ...producer, send };
    });
    const log: EventLog = await createEventLog({ kafkaBrokers: kafka.brokers });
    try {
      const since = await log.watermarks(eventTopics());
      const runs = Array.from({ length: 3 }, () => `run-${randomUUID()}`);
      const before = rejections(runs[0] as string, 10);
      await log.append(before, since);
      await service.kill();
      let settledOnes = 0;
      const appends = runs.map((runId, i) =>
        log.append(rejections(runId, i === 0 ? 10 : 2_500), since).finally(() => (settledOnes += 1)),
      );
      await sleep(3_000);
      expect([settledOnes, most]).toEqual([0, 1]);
      await service.start();
      const references = await Promise.all(appends);

      expect(references.map(([reference]) => reference?.count)).toEqual([10, 2_500, 2_500]);
      // Each producer's requests one after the other, none above its bound.
      expect(most).toBe(1);
      expect(Math.max(...sizes)).toBe(BATCH_MESSAGES);
      const seen = new Map<string, string[]>(runs.map((runId) => [runId, []]));
      for await (const { event: one } of log.scan(TOPIC, since))
        if (one.type === 'TaskRejected') seen.get(one.envelope.runId)?.push(one.data.subjectId);
      expect([...seen.values()]).toEqual(
        [10, 2_500, 2_500].map((count) => Array.from({ length: count }, (_, index) => `${index}`)),
      );
    } finally {
      await log.close();
    }
  });
});
