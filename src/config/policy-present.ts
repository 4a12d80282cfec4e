/**
 * Whether this machine can train a run's policy, asked before any work: a run that could never sample must not start.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from './errors.js';
import { modelFolder, SMOLLM2 } from './model-folder.js';
import { ModelFileError } from '../policy/safetensors/format.js';
import { textCodecOfModel } from '../policy/text/of-model.js';
import type { HuggingFacePolicyConfig } from './policy.js';
import type { RunConfig } from './run.js';

/** A model that must be put in place first; exit code 3. */
export class ModelMissingError extends Error {
  override readonly name = 'ModelMissingError';
  readonly exitCode = 3;
}

/** What a model folder holds at least. */
const MODEL_FILES = ['config.json', 'tokenizer.json'];

/**
 * The folder of a pre-trained model, with what belongs into it.
 * @throws ModelMissingError where there is none, naming what is missing.
 * @throws UsageError for a path that a worker elsewhere would read as another.
 */
export async function requireModelFolder(policy: HuggingFacePolicyConfig): Promise<string> {
  const needs = `the model ${policy.model} is needed`;
  const accepted = `accepted is a folder with ${MODEL_FILES.join(', ')} and *.safetensors, as in --set policy.path=DIR`;
  if (policy.path !== null && !path.isAbsolute(policy.path))
    throw new UsageError(
      `policy.path is ${JSON.stringify(policy.path)}; accepted is an absolute path, as in ${path.resolve(policy.path)}`,
    );
  const folder = await modelFolder(policy);
  if (folder === undefined)
    throw new ModelMissingError(
      policy.model === SMOLLM2
        ? `${needs}, and it is not installed: npx azr model fetch smollm2`
        : `${needs}, and policy.path is null; ${accepted} (nothing is downloaded)`,
    );
  for (const file of MODEL_FILES)
    if (!(await isFile(path.join(folder, file))))
      throw new ModelMissingError(
        `${needs}, and its folder is ${JSON.stringify(folder)}, where ${file} is missing; ${accepted}`,
      );
  return folder;
}

/**
 * @throws ModelMissingError, UsageError as requireModelFolder does.
 * @throws UsageError for a folder that holds something else, and for what this build cannot train.
 */
export async function requirePolicy(
  config: Pick<RunConfig, 'policy' | 'propose' | 'sandbox'>,
): Promise<void> {
  const { policy } = config;
  if (policy.kind === 'tiny') return;
  const folder = await requireModelFolder(policy);
  try {
    await textCodecOfModel(folder, policy, config);
  } catch (error) {
    if (!(error instanceof ModelFileError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message);
  }
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() === true;
}
