/** `azr projection rebuild`: ClickHouse anew from the log, compared with what it held. */
import type { Command } from 'commander';
import { rebuildProjection } from '../../pipelines/projection.js';
import { EXIT } from './exit-codes.js';
import { say, sayJson, table, tell } from './output.js';
import { openSession } from './session.js';

const REPORT_EVERY_MESSAGES = 50_000;

export function addProjectionCommands(program: Command): void {
  const group = program
    .command('projection')
    .description('the tables in ClickHouse, a projection of the log');
  group
    .command('rebuild')
    .description(
      'drop the tables of events and fill them again from the log; runs and the sink go on meanwhile',
    )
    .option('--json', 'print the digests as JSON')
    .action(async (options: { json?: boolean }) => {
      const { addresses } = await openSession();
      let reported = 0;
      const tables = await rebuildProjection(addresses, {
        onProgress: (rows, messages) => {
          if (messages - reported < REPORT_EVERY_MESSAGES) return;
          reported = messages;
          tell(`${messages} messages read, ${rows} rows written`);
        },
      });
      const rows = tables.map((entry) => ({
        table: entry.table,
        'rows before': Number(entry.before.rows),
        'rows after': Number(entry.after.rows),
        'digest before': entry.before.digest.toString(16).padStart(16, '0'),
        'digest after': entry.after.digest.toString(16).padStart(16, '0'),
        equal: entry.equal ? 'yes' : 'NO',
      }));
      const different = tables.filter(({ equal }) => !equal);
      if (options.json === true)
        sayJson(
          rows.map((row, i) => ({
            table: row.table,
            rowsBefore: row['rows before'],
            rowsAfter: row['rows after'],
            digestBefore: row['digest before'],
            digestAfter: row['digest after'],
            equal: tables[i]?.equal ?? false,
          })),
        );
      else {
        say(table(rows));
        say(
          different.length === 0
            ? `rebuilt from the log; ${tables.length} tables are as before`
            : `rebuilt from the log; ${different.map((entry) => entry.table).join(', ')} differ: the tables now hold what the log says`,
        );
      }
      if (different.length > 0) process.exitCode = EXIT.differences;
    });
}
