/**
 * The tables of a migration file: names, columns, types and sorting keys, read off its DDL, with the columns that later
 * migrations add.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../../src/config/paths.js';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly materialized: boolean;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly orderBy: readonly string[];
}

export function tablesOf(migration: string): Map<string, Table> {
  const file = path.join(repositoryRoot(), 'infra', 'clickhouse', 'migrations', migration);
  const tables = new Map<string, Table>();
  const create = /CREATE TABLE IF NOT EXISTS (\w+)\n\(\n([\s\S]*?)\n\)\n([\s\S]*?);/g;
  for (const [, name = '', body = '', rest = ''] of readFileSync(file, 'utf8').matchAll(create)) {
    const orderBy = /ORDER BY \(([^)]*)\)/
      .exec(rest)?.[1]
      ?.split(',')
      .map((column) => column.trim());
    if (orderBy === undefined) throw new Error(`${migration}: table ${name} has no ORDER BY (...)`);
    tables.set(name, { name, columns: body.split('\n').map(columnOf), orderBy });
  }
  for (const [, name = '', line = '', before = ''] of laterStatements(migration)) {
    const table = tables.get(name);
    // A later migration adds columns to tables of several earlier ones.
    if (table === undefined && createdBefore(migration, name)) continue;
    const at = table?.columns.findIndex((column) => column.name === before) ?? -1;
    if (table === undefined || at < 0) throw new Error(`table ${name} has no column ${before}`);
    tables.set(name, { ...table, columns: table.columns.toSpliced(at + 1, 0, columnOf(line)) });
  }
  return tables;
}

/** Whether a migration before this one creates the table. */
function createdBefore(migration: string, table: string): boolean {
  const folder = path.join(repositoryRoot(), 'infra', 'clickhouse', 'migrations');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql') && file < migration)
    .some((file) =>
      readFileSync(path.join(folder, file), 'utf8').includes(`CREATE TABLE IF NOT EXISTS ${table}\n`),
    );
}

/** `ALTER TABLE name ADD COLUMN IF NOT EXISTS line AFTER before;` of the migrations after this one. */
function laterStatements(migration: string): RegExpMatchArray[] {
  const folder = path.join(repositoryRoot(), 'infra', 'clickhouse', 'migrations');
  const add = /^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS (.*) AFTER (\w+);$/gm;
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql') && file > migration)
    .sort()
    .flatMap((file) => [...readFileSync(path.join(folder, file), 'utf8').matchAll(add)]);
}

function columnOf(line: string): Column {
  const match = /^\s*`?(\w+)`? (.*?)(?: (DEFAULT|MATERIALIZED) .*?)?(?: COMMENT '.*')?,?$/.exec(line);
  if (match === null) throw new Error(`${line} is no column`);
  return { name: match[1] ?? '', type: match[2] ?? '', materialized: match[3] === 'MATERIALIZED' };
}
