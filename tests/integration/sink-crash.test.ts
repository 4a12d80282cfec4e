/**
 * The sink, killed with SIGKILL at random writes, ends with the rows of one that was not.
 *
 * AZR_CRASH_POINTS says how many crashes (default 20). Each round projects the same log into a database of its own, with
 * a crash in every life of the sink until everything is stored; a proxy before the database ends the process exactly
 * before the rows, between rows and offset, or after the offset.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { tableDigests } from '../../pipelines/projection.js';
import { DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { storedOffsets } from '../../pipelines/sink.js';
import { encodeEvent } from '../../pipelines/serde.js';
import { waitUntilProjected } from '../../pipelines/sql.js';
import { eventTopics, topicOf } from '../../pipelines/topics.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { repositoryRoot } from '../../src/config/paths.js';
import { Random } from '../../src/random.js';
import { CrashProxy, type Moment } from '../support/crash-proxy.js';
import { EVENT_TYPES, event, exampleEvent } from '../support/events.js';
import { produce, startProjected, withSink, type Projected } from '../support/projected.js';

const POINTS = Number(process.env['AZR_CRASH_POINTS'] ?? 20);
const BATCH = 20;
/** Writes of one life at most before its crash: a batch is one to five of them. */
const REACH = 12;
const MOMENTS: readonly Moment[] = ['before rows', 'between rows and offset', 'after offset'];

let stack: Projected;
let proxy: CrashProxy;

beforeAll(async () => {
  if (!Number.isInteger(POINTS) || POINTS < 1)
    throw new RangeError(
      `AZR_CRASH_POINTS is ${process.env['AZR_CRASH_POINTS'] ?? ''}; accepted are integers from 1`,
    );
  stack = await startProjected(2);
  proxy = await CrashProxy.before(stack.addresses.clickhouseUrl);
  for (const iteration of [1, 2]) {
    const place = { runId: 'run', iteration };
    const events = EVENT_TYPES.flatMap((type) =>
      Array.from({ length: 25 }, (_, i) => exampleEvent(type, { ...place, eventId: `${type}-${i}` })),
    );
    await stack.log.append(events, await stack.log.watermarks(eventTopics()));
  }
  const twice = event('RunPaused', { runId: 'run', iteration: 3 }, ['twice'], { reason: 'twice' });
  const bytes = encodeEvent(twice, new DerivedSchemaIds([]));
  await produce(stack.kafka.brokers, topicOf('RunPaused'), [
    { value: bytes, partition: 0 },
    { value: 'no event', partition: 0 },
    { value: bytes, partition: 0 },
  ]);
});
afterAll(async () => {
  await proxy?.end();
  await stack?.end();
});

function sinkProcess(to: ServiceAddresses): ChildProcess {
  const program = path.join(repositoryRoot(), 'tests/support/sink-main.mjs');
  const args = [program, to.kafkaBrokers.join(','), to.clickhouseUrl, to.clickhouseDatabase, String(BATCH)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** One life of the sink, killed at a random write. @returns where; undefined when it had nothing left to write. */
async function life(round: ServiceAddresses, random: Random): Promise<Moment | undefined> {
  const plan = { write: random.below(REACH), when: random.below(2) === 0 ? 'before' : 'after' } as const;
  const child = sinkProcess({ ...round, clickhouseUrl: proxy.url });
  proxy.arm(plan, () => child.kill('SIGKILL'));
  const over = once(child, 'exit');
  while (child.exitCode === null && child.signalCode === null) {
    // Nothing left to write: the planned write does not come.
    if (await waitUntilProjected(round, { timeoutMs: 0 })) child.kill('SIGKILL');
    await Promise.race([over, sleep(300)]);
  }
  const [, signal] = (await over) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return proxy.moment;
}

it(`${POINTS} random crash points end with the rows of an undisturbed sink`, async () => {
  const random = new Random(20_260_101);
  const whole = { ...stack.addresses, clickhouseDatabase: 'whole' };
  await withSink(whole);
  const wanted = await tableDigests(whole);
  const client = clickHouseClient(whole);
  const offsets = await storedOffsets(client);
  await client.close();
  for (const [table, { rows }] of wanted) expect({ table, some: rows >= 50n }).toEqual({ table, some: true });

  const hit = new Map<Moment, number>(MOMENTS.map((moment) => [moment, 0]));
  const total = (): number => [...hit.values()].reduce((sum, n) => sum + n, 0);
  for (let round = 0; total() < POINTS; round++) {
    const database: ServiceAddresses = { ...stack.addresses, clickhouseDatabase: `crashed_${round}` };
    await migrate(database);
    let moment = await life(database, random);
    while (moment !== undefined) {
      hit.set(moment, (hit.get(moment) ?? 0) + 1);
      if (total() >= POINTS) break;
      moment = await life(database, random);
    }
    await withSink(database);
    expect({ round, digests: await tableDigests(database) }).toEqual({ round, digests: wanted });
    const after = clickHouseClient(database);
    expect(await storedOffsets(after)).toEqual(offsets);
    await after.command({ query: `DROP DATABASE ${database.clickhouseDatabase} SYNC` });
    await after.close();
  }
  process.stdout.write(`crash points: ${[...hit].map(([moment, n]) => `${n} ${moment}`).join(', ')}\n`);
  if (POINTS >= 20) for (const moment of MOMENTS) expect(hit.get(moment)).toBeGreaterThan(0);
});
