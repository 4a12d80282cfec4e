/** A model as Hugging Face lays it out: config.json, weights, and a tokenizer that this module does not look at. */
import type { ModelSpec } from '../port.js';
import type { Dtype } from '../safetensors/dtypes.js';
import { openSafetensorsFolder, type TensorSource } from '../safetensors/reader.js';
import { readHuggingFaceConfig, type HuggingFaceConfig } from './config.js';
import { checkWeights, OUTPUT_MATRIX, weightTypes } from './weights.js';

export interface HuggingFaceModel extends HuggingFaceConfig {
  readonly folder: string;
  readonly spec: ModelSpec;
  readonly source: TensorSource;
  readonly weightTypes: readonly Dtype[];
}

/**
 * Opens and checks a folder; nothing is read but headers. The caller closes `source`.
 * @throws ModelFileError naming what is missing or does not fit.
 */
export async function openHuggingFaceModel(folder: string): Promise<HuggingFaceModel> {
  const source = await openSafetensorsFolder(folder);
  try {
    const config = await readHuggingFaceConfig(folder, source.find(OUTPUT_MATRIX) !== undefined);
    checkWeights(config.spec, source, folder);
    return { ...config, folder, source, weightTypes: weightTypes(config.spec, source) };
  } catch (error) {
    await source.close();
    throw error;
  }
}
