import { describe, expect, it } from 'vitest';
import { isReadOnly } from '../../../infra/local/clickhouse/read-only.js';

describe('read-only mode', () => {
  it.each([
    'select 1',
    '  -- a question\nSELECT 1;',
    '/* a /* nested */ comment */ (select 1) union all (select 2)',
    "with 'a;b' as x select x",
    'describe table t',
    'select \'insert into t\' as text, `drop; me`, "insert into"',
    'explain select 1',
    'select $doc$ ; drop table t $doc$',
  ])('lets %s through', (query) => expect(isReadOnly(query)).toBe(true));

  it.each([
    '',
    'drop table t',
    '/* select */ drop table t',
    'select 1; drop table t',
    "select '\\'; -- '; drop table t",
    'with 1 as x insert into t select x',
    'explain select 1; insert into t select 1',
    "select 1 into outfile '/tmp/x'",
    "select $$'$$; drop table t; select $$'$$",
    'set max_threads = 1',
    'use default',
    'system flush logs',
    'optimize table t final',
    'selectx',
  ])('refuses %s', (query) => expect(isReadOnly(query)).toBe(false));
});
