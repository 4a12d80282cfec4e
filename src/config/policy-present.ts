/**
 * Whether this machine can train a run's policy, asked before any work: a run that could never sample must not start.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from './errors.js';
import type { PolicyConfig } from './policy.js';

/** A model that must be put in place first; exit code 3. */
export class ModelMissingError extends Error {
  override readonly name = 'ModelMissingError';
  readonly exitCode = 3;
}

/** What a model folder holds at least. */
const MODEL_FILES = ['config.json', 'tokenizer.json'];

/**
 * @throws ModelMissingError where the model's folder is not given, or is none.
 * @throws UsageError where the folder is there and this build has no engine for the kind of policy.
 */
export async function requirePolicy(preset: string, policy: PolicyConfig): Promise<void> {
  if (policy.kind === 'tiny') return;
  const needs = `preset ${preset} needs the model ${policy.model}`;
  const accepted = `accepted is a folder with ${MODEL_FILES.join(', ')} and *.safetensors, as in --set policy.path=DIR`;
  if (policy.path === null)
    throw new ModelMissingError(`${needs}, and policy.path is null; ${accepted} (nothing is downloaded)`);
  for (const file of MODEL_FILES)
    if (!(await isFile(path.join(policy.path, file))))
      throw new ModelMissingError(
        `${needs}, and policy.path is ${JSON.stringify(policy.path)}, where ${file} is missing; ${accepted}`,
      );
  throw new UsageError(
    `policy.kind is ${policy.kind}: this build has no engine that trains it; accepted is tiny (azr run tiny)`,
  );
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() === true;
}
