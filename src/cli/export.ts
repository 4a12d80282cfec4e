/** `azr export log RUN DIR`: a run as a folder that another machine can import. */
import path from 'node:path';
import type { Command } from 'commander';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { exportRun } from '../archive/export-run.js';
import { filesOf } from '../archive/manifest.js';
import { say, sayJson } from './output.js';
import { codeVersion, openSession } from './session.js';
import { unknownRun } from './unknown-run.js';

export function addExportCommands(program: Command): void {
  const group = program.command('export').description('take things out of the stack');
  group
    .command('log')
    .description("a run's events (Avro files, one an event type) and checkpoints, with a manifest of digests")
    .argument('<run>')
    .argument('<dir>', 'a new or an empty folder')
    .option('--without-checkpoints', 'events alone: enough for azr replay without --verify learner')
    .option('--json', 'print the manifest as JSON')
    .action(
      async (runId: string, folder: string, options: { withoutCheckpoints?: boolean; json?: boolean }) => {
        const session = await openSession();
        const log = await createEventLog(session.addresses);
        try {
          const manifest = await exportRun(log, {
            runId,
            folder: path.resolve(folder),
            dataFolder: session.config.dataDir,
            codeVersion: codeVersion(),
            checkpoints: options.withoutCheckpoints !== true,
          });
          if (manifest === undefined) throw await unknownRun(session, runId);
          const events = manifest.events.reduce((sum, { count }) => sum + count, 0);
          const bytes = filesOf(manifest).reduce((sum, file) => sum + file.bytes, 0);
          if (options.json === true) sayJson(manifest);
          else
            say(
              `run ${runId}: ${events} events of ${manifest.events.length} types, ${manifest.iterations} iterations, ${manifest.checkpoints.length} checkpoints, ${(bytes / 2 ** 20).toFixed(1)} MiB in ${folder}`,
            );
        } finally {
          await log.close();
        }
      },
    );
}
