/**
 * npm run bench -- queries: every saved query on millions of synthetic task rows, in the engine of the local stack behind
 * the official client, in a scratch folder. Shown: the median and the least time of three askings, the CPU time of one, the
 * rows that the engine read, the rows of the answer. What the rows are: synthetic.ts.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedClickHouse } from '../../infra/local/clickhouse/server.js';
import { clickHouseClient, migrate, type ClickHouseAddress } from '../../pipelines/clickhouse/client.js';
import { savedQueries, savedQuery } from '../../pipelines/sql.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { table } from '../../src/cli/output.js';
import { UsageError } from '../../src/config/errors.js';
import { integer } from '../integer.js';
import { runBench } from '../run-bench.js';
import { askAll, type Asked } from './ask.js';
import { ITERATIONS, rowsOfRun, runName, RUNS } from './synthetic.js';

const USAGE = `npm run bench -- queries [options]
  --rows N     task rows, a multiple of ${RUNS * ITERATIONS} (default 10000000)
  --rounds N   askings of each query, the median is shown (default 3)
  --only NAME  one saved query
  --data DIR   folder of the rows: made where it is empty, used again where it holds them (default: one that is removed)
  --json       the numbers as JSON`;
const LIMIT_MS = 1_000;

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const rows = integer('rows', options.rows, RUNS * ITERATIONS, 100_000_000);
  const rounds = integer('rounds', options.rounds, 1, 100);
  if (rows % (RUNS * ITERATIONS) !== 0)
    throw new UsageError(`--rows is ${rows}; accepted are multiples of ${RUNS * ITERATIONS}`);
  const names = (await savedQueries()).map(({ name }) => name);
  if (options.only !== undefined) await savedQuery(options.only);
  const folder = options.data ?? (await mkdtemp(path.join(tmpdir(), 'azr-bench-queries-')));
  await mkdir(folder, { recursive: true });
  const engine = await startEmbeddedClickHouse(folder, 0);
  const address = { clickhouseUrl: `http://127.0.0.1:${engine.port}`, clickhouseDatabase: 'azr' };
  try {
    await fill(address, rows);
    const asked = await askAll(
      address,
      options.only === undefined ? names : [options.only],
      rounds,
      runName(RUNS / 2),
    );
    const slow = asked.filter(({ milliseconds }) => milliseconds >= LIMIT_MS);
    if (options.json) console.log(JSON.stringify({ rows, cores: availableParallelism(), asked }, null, 2));
    else console.log(report(rows, rounds, asked, slow));
    return slow.length === 0 ? EXIT.ok : EXIT.differences;
  } finally {
    await engine.close();
    if (options.data === undefined) await rm(folder, { recursive: true, force: true });
  }
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
      rows: { type: 'string', default: '10000000' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
      data: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

/** Fills an empty database; one that holds these rows is left as it is. */
async function fill(address: ClickHouseAddress, rows: number): Promise<void> {
  await migrate(address);
  const client = clickHouseClient(address);
  try {
    const answer = await client.query({
      query: `SELECT run_id AS run, toUInt32(count()) AS tasks FROM (SELECT run_id, task_id FROM task_accepted FINAL) GROUP BY run_id`,
      format: 'JSONEachRow',
    });
    const tasks = new Map(
      (await answer.json<{ run: string; tasks: number }>()).map(({ run, tasks: n }) => [run, n]),
    );
    const wanted = rows / RUNS;
    const held = [...tasks.values()].reduce((sum, n) => sum + n, 0);
    if (held === rows) return;
    if (held > rows || [...tasks.values()].some((n) => n > wanted))
      throw new UsageError(
        `--data holds ${held} task rows in ${tasks.size} runs; accepted is an empty folder, one whose filling with --rows ${rows} broke off, or --rows ${held}`,
      );
    // The last run that was begun is written again: its tables were filled one after the other, and equal rows collapse.
    const first = Math.max(0, tasks.size - 1);
    const began = performance.now();
    for (let run = first; run < RUNS; run++) {
      for (const { sql } of rowsOfRun(run, rows / (RUNS * ITERATIONS))) await client.command({ query: sql });
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      process.stderr.write(`run ${run + 1} of ${RUNS} written, ${seconds} s\n`);
    }
  } finally {
    await client.close();
  }
}

function report(rows: number, rounds: number, asked: readonly Asked[], slow: readonly Asked[]): string {
  const lines = asked.map(({ name, milliseconds, leastMs, cpuMs, rowsRead, answered }) => ({
    query: name,
    'median ms': milliseconds.toFixed(0),
    'least ms': leastMs.toFixed(0),
    'cpu ms': cpuMs.toFixed(0),
    'rows read': String(rowsRead),
    'rows answered': String(answered),
  }));
  const load = loadavg()[0]?.toFixed(1);
  const verdict =
    slow.length === 0
      ? `all ${asked.length} under ${LIMIT_MS} ms`
      : `not under ${LIMIT_MS} ms: ${slow.map(({ name }) => name).join(', ')}`;
  return `${rows} task rows, ${RUNS} runs, ${availableParallelism()} cores, load ${load}, median of ${rounds}\n${table(lines)}\n${verdict}`;
}

await runBench(main);
