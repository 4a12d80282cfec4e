/** `azr import log DIR`: a run that was exported, into this stack. */
import path from 'node:path';
import type { Command } from 'commander';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { importRun } from '../archive/import-run.js';
import { say, sayJson } from './output.js';
import { openSession } from './session.js';

export function addImportCommands(program: Command): void {
  const group = program.command('import').description('bring things into the stack');
  group
    .command('log')
    .description('a run as azr export log wrote it; what is here already is not written again')
    .argument('<dir>')
    .option('--json', 'print the report as JSON')
    .action(async (folder: string, options: { json?: boolean }) => {
      const session = await openSession();
      const log = await createEventLog(session.addresses);
      try {
        const report = await importRun(log, {
          folder: path.resolve(folder),
          dataFolder: session.config.dataDir,
        });
        if (options.json === true) sayJson(report);
        else
          say(
            `run ${report.run}: ${report.written} of ${report.events} events and ${report.checkpointsWritten} of ${report.checkpoints} checkpoints written, the others were here; check it with: npx azr replay ${report.run}`,
          );
      } finally {
        await log.close();
      }
    });
}
