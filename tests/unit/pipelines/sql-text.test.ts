import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSql } from '../../../pipelines/clickhouse/sql-text.js';

describe('SQL text', () => {
  it.each([
    ['SELECT 1', 'SELECT 1'],
    [' SELECT 1 ; ', 'SELECT 1'],
    ['SELECT 1; -- done', 'SELECT 1'],
    ['SELECT 1 -- done', 'SELECT 1'],
    ['SELECT 1;;\n/* end */;', 'SELECT 1'],
    ["SELECT ';' AS a", "SELECT ';' AS a"],
    ["SELECT 'it''s; \\'so\\';' -- x;", "SELECT 'it''s; \\'so\\';'"],
    ['SELECT `a;b`, "c;d" FROM t;', 'SELECT `a;b`, "c;d" FROM t'],
    ['SELECT $$a;b$$, $x$;$$;$x$', 'SELECT $$a;b$$, $x$;$$;$x$'],
    ['-- why; how\nSELECT 1', '-- why; how\nSELECT 1'],
    ['SELECT /* a /* b */ ; */ 1', 'SELECT /* a /* b */ ; */ 1'],
    ['', ''],
    [' ;; -- nothing', ''],
  ])('%j is the one statement %j', (text, statement) => {
    expect(readSql(text)).toMatchObject({ statement, several: false });
  });

  it.each([
    'SELECT 1; SELECT 2',
    "SELECT ';'; DROP TABLE t",
    'SELECT 1 /* ; */; DROP TABLE t',
    "SELECT 'a' -- '\n; DROP TABLE t -- '",
    'SELECT 1;;x',
    'SELECT /* a /* b */ ; */ 1; SELECT 2',
  ])('%j is several', (text) => {
    expect(readSql(text).several).toBe(true);
  });

  it('code is what is neither quoted nor a comment', () => {
    const { code } = readSql("select 'into outfile' /* into outfile */\n  into\toutfile 'x'");
    expect(code).toBe('SELECT ? INTO OUTFILE ?');
  });

  it('quoting hides anything, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const quoted = `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
        expect(readSql(`SELECT ${quoted};`)).toMatchObject({ statement: `SELECT ${quoted}`, several: false });
        expect(typeof readSql(text).several).toBe('boolean');
      }),
    );
  });
});
