/** `azr seed verify`: published seed files through the sandbox, every row answered for in the log. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { UsageError } from '../config/errors.js';
import { ensureTopics } from '../../pipelines/topics.js';
import { createSandbox } from '../sandbox/index.js';
import { verifySeeds } from '../activities/verify-seeds.js';
import { EXIT } from './exit-codes.js';
import { say, sayJson, table, tell } from './output.js';
import { codeVersion, openSession } from './session.js';

export function addSeedCommands(program: Command): void {
  const seed = program.command('seed').description('seed files: tasks to start a run from');
  seed
    .command('verify')
    .description(
      'run every row of a seed file in the sandbox; publish TaskAccepted or TaskRejected with the reason',
    )
    .argument(
      '<file>',
      'JSON lines of the published row schema (deduction and abduction pairs, or induction)',
    )
    .option('--json', 'the last line is {"rows":n,"accepted":n,"rejected":n,"reasons":{...}}')
    .action(async (file: string, options: { json?: boolean }) => {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        throw new UsageError(`FILE is ${file}, which cannot be read: ${(error as Error).message}`);
      }
      const { addresses, config } = await openSession();
      await ensureTopics(addresses.kafkaBrokers);
      const log = await createEventLog(addresses);
      const sandbox = await createSandbox({
        workers: config.threads.sandbox,
        packages: config.sandbox.packages,
      });
      try {
        const report = await verifySeeds(
          { log, sandbox, codeVersion: codeVersion() },
          path.basename(file),
          text,
        );
        for (const broken of report.broken) tell(`azr: ${file}, line ${broken.line}: ${broken.error}`);
        const { rows, accepted, rejected, reasons, runId } = report;
        if (options.json === true) sayJson({ rows, accepted, rejected, reasons, run: runId });
        else {
          say(`${rows} rows: ${accepted} accepted, ${rejected} rejected`);
          if (rejected > 0)
            say(table(Object.entries(reasons).map(([reason, count]) => ({ reason, rows: count }))));
          say(`
The same from SQL:
  npx azr sql "select 'accepted' as fate, count() from task_history where run_id = '${runId}'"
  npx azr sql "select reason, count() from task_rejected final where run_id = '${runId}' group by reason"`);
        }
        if (report.broken.length > 0) process.exitCode = EXIT.usage;
      } finally {
        await sandbox.close();
        await log.close();
      }
    });
}
