/**
 * The projection built anew from the log, while the sink goes on.
 *
 * The tables are filled in a database beside (`<database>_rebuild`) and exchanged with the old ones, each in one atomic
 * step. The running sink keeps its place: what it stored in the old tables between the end of the fill and the exchange
 * is read again from the log afterwards, so no row is missed; equal rows meet in the tables' merge. Killed before the
 * exchange nothing has changed; killed behind it, another rebuild completes it.
 *
 * Digests are taken before and after over the rows of the messages that the old tables had read (the sink's offsets at
 * the beginning), so that a log that grows meanwhile does not look like a difference.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { SCHEMA_VERSIONS, type EventType } from '../schemas/generated/events.js';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { clickHouseClient, migrate, type ClickHouseAddress } from './clickhouse/client.js';
import { snakeCase } from './clickhouse/rows.js';
import { projectOnce, storedOffsets } from './sink.js';
import { ensureTopics, topicOf } from './topics.js';

export interface TableDigest {
  readonly rows: bigint;
  /** Sum of the rows' 64-bit hashes, modulo 2^64: independent of their order. */
  readonly digest: bigint;
}

export interface ComparedTable {
  readonly table: string;
  readonly before: TableDigest;
  readonly after: TableDigest;
  readonly equal: boolean;
}

const TYPE_BY_TABLE: ReadonlyMap<string, EventType> = new Map(
  SCHEMA_VERSIONS.map(({ type }) => [snakeCase(type), type]),
);

/**
 * A digest a table of events over its rows without repeats (first write wins).
 * @param upTo `topic/partition` -> offset: rows of messages before it count. Absent: all rows.
 */
export async function tableDigests(
  address: ClickHouseAddress,
  upTo?: ReadonlyMap<string, bigint>,
): Promise<Map<string, TableDigest>> {
  const client = clickHouseClient(address);
  try {
    const found = new Map<string, TableDigest>();
    for (const [table, type] of [...TYPE_BY_TABLE].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const answer = await client.query({
        query: `SELECT toString(count()) AS rows, toString(sum(sipHash64(tuple(*)))) AS digest FROM ${table} FINAL
                WHERE ${upTo === undefined ? 'true' : placesBefore(topicOf(type), upTo)}`,
        format: 'JSONEachRow',
      });
      const [row] = await answer.json<{ rows: string; digest: string }>();
      found.set(table, { rows: BigInt(row?.rows ?? 0), digest: BigInt(row?.digest ?? 0) });
    }
    return found;
  } finally {
    await client.close();
  }
}

function placesBefore(topic: string, upTo: ReadonlyMap<string, bigint>): string {
  const parts = [...upTo]
    .filter(([key]) => key.startsWith(`${topic}/`))
    .map(([key, next]) => `(log_partition = ${key.slice(topic.length + 1)} AND log_offset < ${next})`);
  return parts.length === 0 ? 'false' : parts.join(' OR ');
}

export interface RebuildOptions {
  readonly signal?: AbortSignal;
  /** Rows written and messages read so far. */
  readonly onProgress?: (rows: number, messages: number) => void;
}

/** Drops and fills every table of events from the log. @returns each table's digests before and after. */
export async function rebuildProjection(
  addresses: ServiceAddresses,
  options: RebuildOptions = {},
): Promise<ComparedTable[]> {
  const { signal = new AbortController().signal, onProgress } = options;
  const progress = onProgress === undefined ? {} : { onProgress };
  await ensureTopics(addresses.kafkaBrokers);
  await migrate(addresses);
  const client = clickHouseClient(addresses);
  const { clickhouseDatabase: database } = addresses;
  const beside: ServiceAddresses = { ...addresses, clickhouseDatabase: `${database}_rebuild` };
  try {
    const known = await storedOffsets(client);
    const before = await tableDigests(addresses, known);
    await client.command({ query: `DROP DATABASE IF EXISTS ${beside.clickhouseDatabase} SYNC` });
    const reached = await projectOnce(
      { addresses: beside, signal, deadLetters: false, ...progress },
      new Map(),
    );
    await exchange(client, database, beside.clickhouseDatabase);
    await projectOnce({ addresses, signal, deadLetters: false }, reached);
    await client.command({ query: `DROP DATABASE IF EXISTS ${beside.clickhouseDatabase} SYNC` });
    const after = await tableDigests(addresses, known);
    const none: TableDigest = { rows: 0n, digest: 0n };
    return [...before].map(([table, digest]) => {
      const now = after.get(table) ?? none;
      return {
        table,
        before: digest,
        after: now,
        equal: digest.rows === now.rows && digest.digest === now.digest,
      };
    });
  } finally {
    await client.close();
  }
}

/** The offsets last: a sink that starts in between reads again what it finds, and misses nothing. */
async function exchange(client: ClickHouseClient, database: string, beside: string): Promise<void> {
  for (const table of [...TYPE_BY_TABLE.keys(), 'sink_offsets'])
    await client.command({ query: `EXCHANGE TABLES ${database}.${table} AND ${beside}.${table}` });
}
