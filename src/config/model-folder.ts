/** Where the folder of a pre-trained model is: where the configuration says, else where the set-up puts models. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory } from './paths.js';
import type { HuggingFacePolicyConfig } from './policy.js';

/** The model that the set-up can install. */
export const SMOLLM2 = 'HuggingFaceTB/SmolLM2-135M-Instruct';

/** The folder of models that were installed, by their names at the hub. */
export const installedFolder = (model: string): string =>
  path.join(cacheDirectory(), 'models', model.replace('/', '--'));

/** Absolute; undefined where the configuration names none and none is installed. */
export async function modelFolder({
  model,
  path: given,
}: Pick<HuggingFacePolicyConfig, 'model' | 'path'>): Promise<string | undefined> {
  if (given !== null) return path.resolve(given);
  const folder = installedFolder(model);
  return (await stat(folder).catch(() => undefined))?.isDirectory() === true ? folder : undefined;
}
