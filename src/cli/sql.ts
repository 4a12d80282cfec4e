/** `azr sql`: questions to ClickHouse about everything that happened. */
import type { Command } from 'commander';
import {
  completeParameters,
  requireRun,
  runSql,
  savedQueries,
  savedQuery,
  waitUntilProjected,
} from '../../pipelines/sql.js';
import { UsageError } from '../config/errors.js';
import { say, table, tell } from './output.js';
import { collect } from './run.js';
import { openSession } from './session.js';

const FORMATS = ['table', 'json', 'csv', 'parquet'] as const;

export function addSqlCommand(program: Command): void {
  program
    .command('sql')
    .description('ask ClickHouse: tables and views are described in docs/ARCHITECTURE.md')
    .argument('[query]', 'a SELECT')
    .option('--saved <name>', 'a saved query of infra/clickhouse/queries')
    .option('--run <run>', 'the run that a query with {run:String} asks about; default: the newest')
    .option('--param <name=value>', 'a value for a place {name:Type} of the query', collect, [])
    .option('--list', 'list the saved queries and the questions they answer')
    .option('--format <format>', `one of ${FORMATS.join(', ')}`, 'table')
    .option('--json', 'the same as --format json')
    .option('--no-wait', 'do not wait until the newest events are in')
    .action(
      async (
        query: string | undefined,
        options: {
          saved?: string;
          run?: string;
          param: string[];
          list?: boolean;
          format: string;
          json?: boolean;
          wait: boolean;
        },
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
        const given = namedValues(options.param);
        if (options.run !== undefined) given['run'] = options.run;
        if (given['run'] !== undefined) await requireRun(addresses, given['run']);
        const answer = await runSql(
          addresses,
          text,
          format,
          await completeParameters(addresses, text, given),
        );
        process.stdout.write(answer);
      },
    );
}

function namedValues(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1)
        throw new UsageError(`--param is ${JSON.stringify(text)}; accepted is NAME=VALUE, as in task=0f3a`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
