/**
 * A run's checkpoint as a folder that Transformers loads: config.json, safetensors, the tokenizer of the model that the
 * run began with, and a model card. What adapters add is merged into the weights; or they are written alone, as PEFT loads
 * them over the model that the run began with. The folder is filled beside and moved into place whole.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EventLog } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { EventDataByType } from '../../schemas/generated/events.js';
import { UsageError } from '../config/errors.js';
import { modelFolder } from '../config/model-folder.js';
import type { HuggingFacePolicyConfig } from '../config/policy.js';
import { checkRunConfig } from '../config/presets.js';
import { openCheckpoint, openFrozen, type OpenCheckpoint } from '../learner/checkpoint.js';
import { mergedParameter } from '../policy/engine/merge-adapters.js';
import { CONFIG_FILE, nameDtype, readHuggingFaceConfig } from '../policy/hugging-face/config.js';
import { configOfSpec } from '../policy/hugging-face/config-of-spec.js';
import { copyModelFiles } from '../policy/hugging-face/model-files.js';
import { writePeftAdapter } from '../policy/hugging-face/peft.js';
import { writeParameters } from '../policy/hugging-face/weights.js';
import type { ModelSpec } from '../policy/port.js';
import { ModelFileError } from '../policy/safetensors/format.js';
import type { Dtype } from '../policy/safetensors/dtypes.js';
import { checkpointAt, completedIteration, completedRun } from './completed-run.js';
import { modelCard, type CardFacts } from './model-card.js';
import { placeFolder, requireEmptyFolder } from './place-folder.js';

export interface ExportModelOptions {
  readonly runId: string;
  /** An iteration that the run completed; 0: after the warm-up. Absent: the newest. */
  readonly iteration?: number;
  /** Must not exist, or be empty. */
  readonly folder: string;
  /** Under which the log's relative checkpoint folders lie. */
  readonly dataFolder: string;
  readonly dtype: Dtype;
  /** The adapters alone; default false. */
  readonly adapters?: boolean;
  /** Whose configuration and tokenizer are written; default: where the run found the model that it began from. */
  readonly model?: string;
}

/**
 * @returns undefined where the log has no RunStarted of that run.
 * @throws UsageError where the iteration is not completed, its checkpoint is missing, the folder is in use, adapters are
 * asked for of a run that trains every weight, or the model that the run began from is not here, or another.
 * @throws CorruptCheckpointError naming a damaged file.
 */
export async function exportModel(
  log: EventLog,
  options: ExportModelOptions,
): Promise<CardFacts | undefined> {
  const { runId, folder, dataFolder, dtype } = options;
  await requireEmptyFolder(folder);
  const run = await completedRun(log, runId);
  if (run === undefined) return undefined;
  const iteration = completedIteration(run, options.iteration);
  const { data: saved } = checkpointAt(run, iteration);
  const { config } = checkRunConfig(
    JSON.parse(run.started.configJson) as Record<string, unknown>,
    `RunStarted of ${runId}`,
  );
  const facts: CardFacts = {
    runId,
    iteration,
    preset: run.started.preset,
    configHash: run.started.configHash,
    checkpointDigest: saved.digest,
    base: config.policy.kind === 'huggingface' ? config.policy.model : null,
    evaluations: await evaluationsOf(log, runId, iteration),
  };
  const ref = {
    version: saved.version,
    folder: path.resolve(dataFolder, saved.folder),
    digest: saved.digest,
  };
  const checkpoint = await openCheckpoint(ref);
  try {
    if (options.adapters === true && checkpoint.spec.lora === undefined)
      throw new UsageError(
        `--lora writes adapters, and run ${runId} has none: it trains every weight (policy.loraRank is null); accepted is azr export without --lora`,
      );
    await placeFolder(path.resolve(folder), async (beside) => {
      if (options.adapters === true) {
        const read = async (name: string): Promise<Float32Array> =>
          (await checkpoint.weights.read(name)).data;
        await writePeftAdapter(checkpoint.spec, facts.base, read, beside, { dtype });
        await writeFile(path.join(beside, 'README.md'), modelCard(facts, 'adapters'));
        return;
      }
      const base =
        config.policy.kind === 'huggingface'
          ? await beginningOf(runId, config.policy, checkpoint.spec, options.model)
          : undefined;
      const file = path.join(beside, CONFIG_FILE);
      if (base === undefined)
        await writeFile(file, `${JSON.stringify(configOfSpec(checkpoint.spec), null, 2)}\n`);
      else await copyModelFiles(base, beside);
      await nameDtype(file, dtype);
      await writeMerged(checkpoint, beside, dtype);
      await writeFile(path.join(beside, 'README.md'), modelCard(facts));
    });
  } finally {
    await checkpoint.close();
  }
  return facts;
}

/**
 * The folder of the model that a run began from; it may have come from another machine without it.
 * @throws UsageError where it is not here, or is another.
 */
async function beginningOf(
  runId: string,
  policy: HuggingFacePolicyConfig,
  { lora: _adapters, ...spec }: ModelSpec,
  given: string | undefined,
): Promise<string> {
  const folder = given === undefined ? await modelFolder(policy) : path.resolve(given);
  const accepted = `accepted is --model DIR, a folder with ${CONFIG_FILE} and tokenizer of ${policy.model}`;
  if (folder === undefined)
    throw new UsageError(`run ${runId} began from ${policy.model}, which is not installed here; ${accepted}`);
  const found = await readHuggingFaceConfig(folder, spec.untied === true).catch((error: unknown) => {
    if (!(error instanceof ModelFileError)) throw error;
    throw new UsageError(`run ${runId} began from the model in ${folder}: ${error.message}; ${accepted}`, {
      cause: error,
    });
  });
  const sorted = (fields: object): string =>
    JSON.stringify(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (sorted(found.spec) !== sorted(spec))
    throw new UsageError(
      `the model in ${folder} is another than run ${runId} began from: its configuration says ${sorted(found.spec)}, the checkpoint ${sorted(spec)}; ${accepted}`,
    );
  return folder;
}

/** One parameter after the other, with what its adapters add. */
async function writeMerged(checkpoint: OpenCheckpoint, folder: string, dtype: Dtype): Promise<void> {
  const { spec, weights } = checkpoint;
  const frozen = checkpoint.frozen === undefined ? undefined : await openFrozen(checkpoint.frozen);
  const trained = async (name: string): Promise<Float32Array> => (await weights.read(name)).data;
  const read = async (name: string): Promise<Float32Array> =>
    frozen === undefined
      ? trained(name)
      : mergedParameter(spec, name, (await frozen.read(name)).data, trained);
  try {
    await writeParameters(spec, read, folder, { dtype });
  } finally {
    await frozen?.close();
  }
}

/** Up to an iteration, first write first. */
async function evaluationsOf(log: EventLog, runId: string, upTo: number): Promise<CardFacts['evaluations']> {
  const found = new Map<string, { iteration: number; data: EventDataByType['EvaluationCompleted'] }>();
  const mine = ({ envelope }: { envelope: { runId: string; iteration: number } }): boolean =>
    envelope.runId === runId && envelope.iteration <= upTo;
  for await (const { event } of log.scan(topicOf('EvaluationCompleted'), {}, undefined, mine))
    if (event.type === 'EvaluationCompleted' && !found.has(event.data.evaluationId))
      found.set(event.data.evaluationId, { iteration: event.envelope.iteration, data: event.data });
  return [...found.values()].sort((a, b) => a.iteration - b.iteration);
}
