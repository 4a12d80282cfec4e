/**
 * `azr export RUN@ITERATION DIR`: a checkpoint as a folder that Transformers loads. `azr export log RUN DIR`: a run as a
 * folder that another machine can import.
 */
import path from 'node:path';
import type { Command } from 'commander';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { exportModel } from '../archive/export-model.js';
import { exportRun } from '../archive/export-run.js';
import { filesOf } from '../archive/manifest.js';
import { ADAPTER_CONFIG } from '../policy/hugging-face/peft.js';
import { say, sayJson } from './output.js';
import { dtypeOption } from './pretrained.js';
import { parseRunPoint } from './run-point.js';
import { codeVersion, openSession } from './session.js';
import { unknownRun } from './unknown-run.js';

export function addExportCommands(program: Command): void {
  const group = program
    .command('export')
    .description(
      'a checkpoint as a Hugging Face folder with a model card; or, with log, a run for another machine',
    )
    .argument('<run@iteration>', 'a completed iteration; 0 is after the warm-up; without @ the newest')
    .argument('<dir>', 'a new or an empty folder')
    .option('--dtype <type>', 'of the weights that are written: F32, F16, BF16', 'F32')
    .option('--lora', 'the adapters alone, as PEFT loads them; without it they are merged into the weights')
    .option(
      '--model <dir>',
      'the model that the run began from, for its configuration and tokenizer; default: where the run found it',
    )
    .option('--json', 'print the facts of the model card as JSON')
    .action(
      async (
        at: string,
        folder: string,
        options: { dtype: string; lora?: boolean; model?: string; json?: boolean },
      ) => {
        const { run: runId, iteration } = parseRunPoint(at);
        const dtype = dtypeOption(options.dtype);
        const session = await openSession();
        const log = await createEventLog(session.addresses);
        try {
          const facts = await exportModel(log, {
            runId,
            ...(iteration === undefined ? {} : { iteration }),
            folder: path.resolve(folder),
            dataFolder: session.config.dataDir,
            dtype,
            adapters: options.lora === true,
            ...(options.model === undefined ? {} : { model: options.model }),
          });
          if (facts === undefined) throw await unknownRun(session, runId);
          if (options.json === true) sayJson(facts);
          else
            say(
              `run ${runId} at iteration ${facts.iteration}: ${options.lora === true ? ADAPTER_CONFIG : 'config.json'}, ${dtype} weights and a model card in ${folder}`,
            );
        } finally {
          await log.close();
        }
      },
    );
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
