/**
 * How a pre-trained policy is sampled from, where the configuration is silent: as its generation_config.json says.
 *
 * Later wins: the schema's defaults (temperature 1, nothing truncated, no stop strings), generation_config.json, the
 * mode's switches, the preset's keys, the overrides. It is settled when a run starts and stands in RunStarted: the file is
 * not looked at again, and a fork goes on with what its parent had.
 */
import { ModelFileError } from '../policy/safetensors/format.js';
import { readGenerationSampling, type GenerationSampling } from '../policy/hugging-face/generation-config.js';
import { UsageError } from './errors.js';
import { setAt, type Values } from './key-paths.js';
import { requireModelFolder } from './policy-present.js';
import { checkRunConfig, type KeySource, type ResolvedPreset } from './presets.js';

const KEYS: readonly (readonly [key: string, field: keyof GenerationSampling])[] = [
  ['propose.temperature', 'temperature'],
  ['solve.temperature', 'temperature'],
  ['policy.sampling.topK', 'topK'],
  ['policy.sampling.topP', 'topP'],
  ['policy.sampling.minP', 'minP'],
  ['policy.sampling.stop', 'stop'],
];

/**
 * @throws ModelMissingError where the model's folder is not there.
 * @throws UsageError for a file that cannot be used.
 */
export async function withModelSampling(resolved: ResolvedPreset): Promise<ResolvedPreset> {
  const { policy } = resolved.config;
  if (policy.kind !== 'huggingface') return resolved;
  const folder = await requireModelFolder(policy);
  const said = await readGenerationSampling(folder).catch((error: unknown) => {
    throw error instanceof ModelFileError ? new UsageError(error.message, { cause: error }) : error;
  });
  const values = structuredClone(resolved.config) as unknown as Values;
  const sources = new Map<string, KeySource>(resolved.sources);
  for (const [key, field] of KEYS) {
    const value = said[field];
    if (value === undefined || sources.get(key) !== 'default') continue;
    setAt(values, key, typeof value === 'object' ? [...value] : value);
    sources.set(key, 'model');
  }
  return { ...resolved, ...checkRunConfig(values, folder), sources };
}
