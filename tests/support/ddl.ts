/** The tables of a migration file: names, columns, types and sorting keys, read off its DDL. */
import { readFileSync } from 'node:fs';
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
  return tables;
}

function columnOf(line: string): Column {
  const match = /^\s*`?(\w+)`? (.*?)(?: (DEFAULT|MATERIALIZED) .*?)?(?: COMMENT '.*')?,?$/.exec(line);
  if (match === null) throw new Error(`${line} is no column`);
  return { name: match[1] ?? '', type: match[2] ?? '', materialized: match[3] === 'MATERIALIZED' };
}
