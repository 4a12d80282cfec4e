/** Questions to ClickHouse: free ones read-only, saved ones by name, and waiting until the newest facts are in. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseError } from '@clickhouse/client';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { nearest, UsageError } from '../src/config/errors.js';
import { repositoryRoot } from '../src/config/paths.js';
import { clickHouseClient } from './clickhouse/client.js';
import { readSql } from './clickhouse/sql-text.js';
import { RangeReader } from './range-reader.js';
import { storedOffsets } from './sink.js';
import { eventTopics } from './topics.js';

export type SqlFormat = 'table' | 'json' | 'csv' | 'parquet';

/** `json` is an array of objects; the others are the engine's. */
const ENGINE_FORMAT = {
  table: 'PrettyCompactMonoBlock',
  json: 'JSONEachRow',
  csv: 'CSVWithNames',
  parquet: 'Parquet',
} as const;

/**
 * @param parameters values of the query's `{name:Type}` places.
 * @throws UsageError with the engine's message where it does not accept the query.
 */
export async function runSql(
  addresses: ServiceAddresses,
  query: string,
  format: SqlFormat,
  parameters: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const { statement, several } = readSql(query);
  if (statement === '') throw new UsageError('the query is empty; accepted is one statement that reads');
  if (several) throw new UsageError('the query is refused: it holds several statements; accepted is one');
  const client = clickHouseClient(addresses);
  try {
    const { stream } = await client.exec({
      query: `${statement}\nFORMAT ${ENGINE_FORMAT[format]}`,
      query_params: { ...parameters },
      clickhouse_settings: { readonly: '1' },
    });
    const parts: Buffer[] = [];
    for await (const part of stream as AsyncIterable<Buffer>) parts.push(Buffer.from(part));
    const bytes = Buffer.concat(parts);
    if (format !== 'json') return bytes;
    const lines = bytes
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
    return Buffer.from(`[${lines.join(',\n')}]\n`);
  } catch (error) {
    if (error instanceof ClickHouseError)
      throw new UsageError(`the query is refused: ${error.message.trim()}`);
    throw error;
  } finally {
    await client.close();
  }
}

/** Names of a query's `{name:Type}` places, each once. */
export function parametersOf(query: string): string[] {
  const { statement } = readSql(query);
  return [...new Set([...statement.matchAll(/\{(\w+)\s*:\s*\w+\}/g)].map(([, name]) => name ?? ''))];
}

/**
 * A value for each place of the query: the given ones; for `run` else the newest run; for others else an empty text, which
 * saved queries read as "choose one".
 *
 * @throws UsageError where a given name has no place, or where there is no run yet.
 */
export async function completeParameters(
  addresses: ServiceAddresses,
  query: string,
  given: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const places = parametersOf(query);
  for (const name of Object.keys(given))
    if (!places.includes(name))
      throw new UsageError(
        `--param names ${JSON.stringify(name)}, which the query does not have; accepted are ${places.length === 0 ? 'none' : places.join(', ')}`,
      );
  const values: Record<string, string> = {};
  for (const name of places) values[name] = given[name] ?? (name === 'run' ? await newestRun(addresses) : '');
  return values;
}

/** @throws UsageError where no run has that name, with the nearest one that has. */
export async function requireRun(addresses: ServiceAddresses, run: string): Promise<void> {
  const answer = await runSql(addresses, 'SELECT run_id FROM runs ORDER BY run_id', 'json');
  const known = (JSON.parse(answer.toString('utf8')) as { run_id: string }[]).map(({ run_id }) => run_id);
  if (known.includes(run)) return;
  const near = nearest(run, known);
  throw new UsageError(
    `--run is ${JSON.stringify(run)}, which no run is called${near === undefined ? '' : `; did you mean ${near}?`} (npx azr runs lists all)`,
  );
}

async function newestRun(addresses: ServiceAddresses): Promise<string> {
  const answer = await runSql(
    addresses,
    'SELECT run_id FROM runs ORDER BY started_at DESC, run_id LIMIT 1',
    'json',
  );
  const [row] = JSON.parse(answer.toString('utf8')) as { run_id: string }[];
  if (row === undefined)
    throw new UsageError('there is no run yet; accepted is --run RUN, or: npx azr run tiny');
  return row.run_id;
}

const folder = (): string => path.join(repositoryRoot(), 'infra', 'clickhouse', 'queries');

/** Names and the questions they answer. */
export async function savedQueries(): Promise<{ name: string; question: string }[]> {
  const files = (await readdir(folder())).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file) => ({
      name: file.slice(0, -'.sql'.length),
      question: /^--\s*(.*)$/m.exec(await readFile(path.join(folder(), file), 'utf8'))?.[1] ?? '',
    })),
  );
}

export async function savedQuery(name: string): Promise<string> {
  const known = (await savedQueries()).map((query) => query.name);
  if (!known.includes(name)) {
    const near = nearest(name, known);
    throw new UsageError(
      `--saved is ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`} Accepted are ${known.join(', ')}`,
    );
  }
  return readFile(path.join(folder(), `${name}.sql`), 'utf8');
}

/** True once everything that is in the log now is in the tables; false when that takes longer than the timeout. */
export async function waitUntilProjected(
  addresses: ServiceAddresses,
  options: { readonly timeoutMs: number },
): Promise<boolean> {
  const reader = new RangeReader(addresses.kafkaBrokers);
  const client = clickHouseClient(addresses);
  try {
    const ends = await reader.ends(eventTopics());
    for (let waited = 0; waited <= options.timeoutMs; waited += 200) {
      const stored = await storedOffsets(client);
      const behind = [...ends].some(([topic, offsets]) =>
        offsets.some((end, partition) => (stored.get(`${topic}/${partition}`) ?? 0n) < end),
      );
      if (!behind) return true;
      await sleep(200);
    }
    return false;
  } finally {
    await reader.close();
    await client.close();
  }
}
