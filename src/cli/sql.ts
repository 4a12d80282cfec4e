/** `azr sql`: questions to ClickHouse about everything that happened. */
import type { Command } from 'commander';
import { runSql, savedQueries, savedQuery, waitUntilProjected } from '../../pipelines/sql.js';
import { UsageError } from '../config/errors.js';
import { say, table, tell } from './output.js';
import { openSession } from './session.js';

const FORMATS = ['table', 'json', 'csv', 'parquet'] as const;

export function addSqlCommand(program: Command): void {
  program
    .command('sql')
    .description('ask ClickHouse: tables and views are described in docs/ARCHITECTURE.md')
    .argument('[query]', 'a SELECT')
    .option('--saved <name>', 'a saved query of infra/clickhouse/queries')
    .option('--list', 'list the saved queries and the questions they answer')
    .option('--format <format>', `one of ${FORMATS.join(', ')}`, 'table')
    .option('--json', 'the same as --format json')
    .option('--no-wait', 'do not wait until the newest events are in')
    .action(
      async (
        query: string | undefined,
        options: { saved?: string; list?: boolean; format: string; json?: boolean; wait: boolean },
      ) => {
        if (options.list === true) {
          say(table(await savedQueries()));
          return;
        }
        const format = options.json === true ? 'json' : FORMATS.find((known) => known === options.format);
        if (format === undefined)
          throw new UsageError(`--format is ${options.format}; accepted are ${FORMATS.join(', ')}`);
        const text = options.saved === undefined ? query : await savedQuery(options.saved);
        if (text === undefined)
          throw new UsageError('no query is given; accepted is a SELECT, or --saved NAME');
        const { addresses } = await openSession();
        if (options.wait && !(await waitUntilProjected(addresses, { timeoutMs: 15_000 })))
          tell('azr: the newest events are not in ClickHouse yet; the answer may lag behind');
        const answer = await runSql(addresses, text, format);
        process.stdout.write(answer);
      },
    );
}
