/** ClickHouse through the official client: the same for the embedded engine and for a cluster. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { repositoryRoot } from '../../src/config/paths.js';

export type ClickHouseAddress = Pick<ServiceAddresses, 'clickhouseUrl' | 'clickhouseDatabase'>;

export function clickHouseClient(
  address: ClickHouseAddress,
  database = address.clickhouseDatabase,
): ClickHouseClient {
  return createClient({
    url: address.clickhouseUrl,
    database,
    request_timeout: 120_000,
    // Errors reach the caller; the client need not print them too.
    log: { level: ClickHouseLogLevel.OFF },
  });
}

/** Applies the migrations of infra/clickhouse/migrations that this database does not have yet, in order. */
export async function migrate(address: ClickHouseAddress): Promise<string[]> {
  const root = clickHouseClient(address, 'default');
  try {
    await root.command({ query: `CREATE DATABASE IF NOT EXISTS ${address.clickhouseDatabase}` });
  } finally {
    await root.close();
  }
  const client = clickHouseClient(address);
  try {
    await client.command({
      query: `CREATE TABLE IF NOT EXISTS migrations (name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY name`,
    });
    const rows = await (
      await client.query({ query: 'SELECT DISTINCT name FROM migrations', format: 'JSONEachRow' })
    ).json<{ name: string }>();
    const applied = new Set(rows.map(({ name }) => name));
    const folder = path.join(repositoryRoot(), 'infra', 'clickhouse', 'migrations');
    const pending = (await readdir(folder))
      .filter((file) => file.endsWith('.sql') && !applied.has(file))
      .sort();
    for (const file of pending) {
      for (const statement of statements(await readFile(path.join(folder, file), 'utf8')))
        await client.command({ query: statement });
      await client.insert({ table: 'migrations', values: [{ name: file }], format: 'JSONEachRow' });
    }
    return pending;
  } finally {
    await client.close();
  }
}

/** Statements of a file: each ends with a semicolon at a line's end. */
function statements(text: string): string[] {
  return text
    .split(/;[ \t]*$/m)
    .map((statement) => statement.replace(/^\s*--.*$/gm, '').trim())
    .filter((statement) => statement !== '');
}
