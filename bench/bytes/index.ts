/**
 * npm run bench -- bytes: what an event costs. Reads a run from the log of the stack that is up and says for each type how
 * many there are and how many bytes one has: encoded (Avro), and compressed in batches as the producer sends them; then
 * the same for completions of 8,192 tokens (long-texts.ts), and what a row of those takes in ClickHouse.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { startEmbeddedClickHouse } from '../../infra/local/clickhouse/server.js';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { rowsOf } from '../../pipelines/clickhouse/rows.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent } from '../../pipelines/serde.js';
import { eventTopics } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { table } from '../../src/cli/output.js';
import { openSession } from '../../src/cli/session.js';
import { UsageError } from '../../src/config/errors.js';
import { runBench } from '../run-bench.js';
import { longEvents } from './long-texts.js';

const USAGE = `npm run bench -- bytes [--run RUN] [--long N] [--tokens N]
  --run RUN    a run of the stack that is up (default: only the long events)
  --long N     long completions (default 192)
  --tokens N   tokens of each (default 8192)`;
/** As the producer cuts its requests (pipelines/kafka-event-log.ts). */
const BATCH_MESSAGES = 1_000;
const BATCH_BYTES = 900_000;

interface Codec {
  readonly name: string;
  readonly pack: (bytes: Buffer) => Buffer;
  readonly unpack: (bytes: Buffer) => Buffer;
}

/** A codec of the system's own program, where it is there: Node 20 has neither. Its times hold a process's start. */
function programCodec(name: string, command: string, ...args: string[]): Codec[] {
  const run = (input: Buffer, ...more: string[]): Buffer =>
    spawnSync(command, [...args, ...more, '-c'], { input, maxBuffer: 1 << 28 }).stdout;
  if (spawnSync(command, ['--version']).status !== 0) return [];
  return [{ name, pack: (bytes) => run(bytes), unpack: (bytes) => run(bytes, '-d') }];
}

const CODECS: readonly Codec[] = [
  ...[1, 6].map((level) => ({
    name: `gzip-${level}`,
    pack: (bytes: Buffer) => gzipSync(bytes, { level }),
    unpack: (bytes: Buffer) => gunzipSync(bytes),
  })),
  ...programCodec('zstd-3', 'zstd', '-3', '-q'),
  ...programCodec('lz4', 'lz4', '-q'),
];

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  if (options.run !== undefined) {
    const events = await eventsOf(options.run);
    if (events.length === 0) throw new UsageError(`--run is ${options.run}; the log holds no event of it`);
    console.log(`run ${options.run}\n${table(sizes(events))}\n`);
  }
  const long = await longEvents(
    count('long', options.long, 10_000),
    count('tokens', options.tokens, 100_000),
  );
  console.log(`completions of ${options.tokens} tokens\n${table(sizes(long))}\n`);
  console.log(`their rows in ClickHouse, merged\n${table(await columns(long))}`);
  return EXIT.ok;
}

function readArguments(): ReturnType<typeof parseOptions>['values'] {
  try {
    return parseOptions().values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

function parseOptions() {
  return parseArgs({
    options: {
      run: { type: 'string' },
      long: { type: 'string', default: '192' },
      tokens: { type: 'string', default: '8192' },
      help: { type: 'boolean', default: false },
    },
  });
}

function count(name: string, text: string, high: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > high)
    throw new UsageError(`--${name} is ${text}; accepted are integers from 1 to ${high}`);
  return value;
}

async function eventsOf(runId: string): Promise<AzrEvent[]> {
  const { addresses } = await openSession();
  const log = await createEventLog(addresses);
  try {
    const events: AzrEvent[] = [];
    for (const topic of eventTopics())
      for await (const { event } of log.scan(
        topic,
        {},
        undefined,
        ({ envelope }) => envelope.runId === runId,
      ))
        events.push(event);
    return events;
  } finally {
    await log.close();
  }
}

/** One row a type: events, bytes of one encoded, of one compressed in batches, and how fast the whole is packed and unpacked. */
function sizes(events: readonly AzrEvent[]): Record<string, string>[] {
  const ids = new DerivedSchemaIds([]);
  const byType = new Map<string, Buffer[]>();
  for (const event of events)
    byType.set(event.type, [...(byType.get(event.type) ?? []), encodeEvent(event, ids)]);
  return [...byType]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, values]) => {
      const bytes = values.reduce((sum, value) => sum + value.length, 0);
      const batches = batchesOf(values);
      const cells = CODECS.flatMap(({ name, pack, unpack }) => {
        let began = performance.now();
        const packed = batches.map(pack);
        const packing = performance.now() - began;
        began = performance.now();
        packed.forEach(unpack);
        const unpacking = performance.now() - began;
        const small = packed.reduce((sum, value) => sum + value.length, 0);
        const speed = (took: number): string => (bytes / 1e3 / took).toFixed(0);
        return [
          [name, (small / values.length).toFixed(0)],
          [`${name} MB/s`, `${speed(packing)} ${speed(unpacking)}`],
        ];
      });
      return {
        type,
        events: String(values.length),
        encoded: (bytes / values.length).toFixed(0),
        ...(Object.fromEntries(cells) as Record<string, string>),
      };
    });
}

function batchesOf(values: readonly Buffer[]): Buffer[] {
  const batches: Buffer[][] = [[]];
  let bytes = 0;
  for (const value of values) {
    const last = batches.at(-1) as Buffer[];
    if (last.length > 0 && (last.length >= BATCH_MESSAGES || bytes + value.length > BATCH_BYTES)) {
      batches.push([value]);
      bytes = value.length;
    } else {
      last.push(value);
      bytes += value.length;
    }
  }
  return batches.map((batch) => Buffer.concat(batch));
}

/** Columns of a kibibyte a row and more, on disk with the tables' own codecs and with ZSTD. */
async function columns(events: readonly AzrEvent[]): Promise<Record<string, string>[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'azr-bench-bytes-'));
  const engine = await startEmbeddedClickHouse(folder, 0);
  const address = { clickhouseUrl: `http://127.0.0.1:${engine.port}`, clickhouseDatabase: 'azr' };
  try {
    await migrate(address);
    const client = clickHouseClient(address);
    for (const [i, event] of events.entries()) {
      const { table: name, rows } = rowsOf(event, { partition: 0, offset: String(i) });
      await client.insert({ table: name, values: rows, format: 'JSONEachRow' });
    }
    const measured: Record<string, string>[] = [];
    for (const name of ['solution_sampled', 'learner_sample'])
      for (const column of [
        'prompt_text',
        'prompt_tokens',
        'completion_text',
        'thought',
        'completion_tokens',
        'log_probs',
      ]) {
        const made: Record<string, string> = { table: name, column };
        if (
          (await one(
            client,
            `SELECT count() AS v FROM system.columns WHERE database = 'azr' AND table = '${name}' AND name = '${column}'`,
          )) === 0
        )
          continue;
        for (const codec of ['Default', 'ZSTD(1)', 'ZSTD(3)']) {
          const scratch = `size_${name}_${column}`;
          await client.command({ query: `DROP TABLE IF EXISTS ${scratch}` });
          const type = column.endsWith('tokens')
            ? 'Array(Int32)'
            : column === 'log_probs'
              ? 'Array(Float32)'
              : 'Nullable(String)';
          await client.command({
            query: `CREATE TABLE ${scratch} (v ${type} ${codec === 'Default' ? '' : `CODEC(${codec})`}) ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0`,
          });
          await client.command({
            query: `INSERT INTO ${scratch} SELECT ${column} FROM ${name} ORDER BY iteration, event_id`,
          });
          await client.command({ query: `OPTIMIZE TABLE ${scratch} FINAL` });
          const size = await one(
            client,
            `SELECT sum(data_compressed_bytes) AS v FROM system.parts WHERE active AND database = 'azr' AND table = '${scratch}'`,
          );
          made[codec] = (size / (events.length / 2)).toFixed(0);
        }
        measured.push(made);
      }
    await client.close();
    return measured;
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function one(client: ReturnType<typeof clickHouseClient>, query: string): Promise<number> {
  const answer = await client.query({ query, format: 'JSONEachRow' });
  return Number((await answer.json<{ v: string }>())[0]?.v ?? 0);
}

await runBench(main);
