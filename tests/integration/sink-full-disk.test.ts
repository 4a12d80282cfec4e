/** The database's disk is full: the sink says so, loses nothing, and goes on when there is room again. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { clickhouseSpec } from '../../infra/local/services/clickhouse.js';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { tableDigests } from '../../pipelines/projection.js';
import { runSink } from '../../pipelines/sink.js';
import { waitUntilProjected } from '../../pipelines/sql.js';
import { eventTopics } from '../../pipelines/topics.js';
import { startClickHouse } from '../support/clickhouse.js';
import { exampleEvent } from '../support/events.js';
import { startKafka } from '../support/kafka.js';
import { ensureBuilt, TestService, testStack } from '../support/service.js';
import { withSink } from '../support/projected.js';

const DISK_MIB = 96;
const closing: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

/** A file system of its own; the reason where this user may not make one. */
async function smallDisk(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'azr-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
  closing.push(async () => {
    execFileSync('umount', ['-l', folder]);
    await rm(folder, { recursive: true });
  });
  return folder;
}

it('a full disk is waited for', async (context) => {
  let disk: string;
  try {
    disk = await smallDisk();
  } catch {
    const reason = 'this user may not mount a file system';
    process.stdout.write(`full disk: skipped, ${reason}\n`);
    return context.skip(reason);
  }
  await ensureBuilt();
  const { dataDir, state } = await testStack('');
  await rm(dataDir, { recursive: true });
  const folder = path.join(disk, 'azr');
  await mkdir(folder);
  const service = new TestService(clickhouseSpec(folder, state), folder);
  await service.start();
  closing.push(() => service.end());
  const kafka = await startKafka();
  closing.push(() => kafka.end());
  const log = await createEventLog({ kafkaBrokers: kafka.brokers });
  closing.push(() => log.close());
  const addresses = {
    kafkaBrokers: kafka.brokers,
    temporalAddress: 'unused',
    temporalNamespace: 'unused',
    clickhouseUrl: `http://127.0.0.1:${state.ports.clickhouse}`,
    clickhouseDatabase: 'azr',
  };
  await migrate(addresses);

  const write = async (iteration: number): Promise<void> => {
    const place = { runId: 'run', iteration };
    const events = (['TaskRejected', 'ProposalSampled'] as const).flatMap((type) =>
      Array.from({ length: 2_000 }, (_, i) => exampleEvent(type, { ...place, eventId: `${type}-${i}` })),
    );
    await log.append(events, await log.watermarks(eventTopics()));
  };
  const errors: string[] = [];
  const stop = new AbortController();
  const sink = runSink({
    addresses,
    signal: stop.signal,
    onError: (error) => errors.push(error.message),
  });
  try {
    await write(1);
    expect(await waitUntilProjected(addresses, { timeoutMs: 60_000 })).toBe(true);
    const ballast = path.join(disk, 'ballast');
    const { bavail, bsize } = await statfs(disk);
    await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 16 * 1024)));
    await write(2);
    for (let waited = 0; errors.length === 0 && waited < 60_000; waited += 100) await sleep(100);
    expect(errors.join('\n')).toMatch(
      /No space left on device|not enough space|Cannot reserve|NOT_ENOUGH_SPACE/i,
    );
    expect(await waitUntilProjected(addresses, { timeoutMs: 0 })).toBe(false);
    await rm(ballast);
    expect(await waitUntilProjected(addresses, { timeoutMs: 120_000 })).toBe(true);
  } finally {
    stop.abort();
    await sink;
  }
  const clickhouse = await startClickHouse();
  closing.push(() => clickhouse.end());
  const roomy = { ...addresses, ...clickhouse.address };
  await withSink(roomy);
  const digests = await tableDigests(roomy);
  expect(await tableDigests(addresses)).toEqual(digests);
  expect(digests.get('task_rejected')?.rows).toBe(4_000n);
  await clickHouseClient(addresses).close();
});
