/**
 * A model's specification from config.json, as Transformers 4 and 5 write it.
 *
 * The two differ in the rotary positions (`rope_theta` and `rope_scaling` against `rope_parameters`) and in the name of
 * the weights' type (`torch_dtype` against `dtype`). What a configuration leaves out takes the default of its
 * architecture's class. What would change the numbers and is not built is refused, never skipped.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkSpec } from '../engine/parameters.js';
import type { ModelSpec, RotaryScaling } from '../port.js';
import type { Dtype } from '../safetensors/dtypes.js';
import { ModelFileError } from '../safetensors/format.js';
import { generationFields } from './generation-config.js';
import { Fields, readJson } from './json-fields.js';

export const CONFIG_FILE = 'config.json';

interface Architecture {
  /** The class whose weights are read: with a language model's head. */
  readonly causal: string;
  readonly attentionBias: boolean;
  readonly queryKeyNorm: boolean;
  /** `head_dim` where a configuration has none; absent: hidden_size / num_attention_heads. */
  readonly headWidth?: number;
  /** Fields that have to be false: what they turn on is not built. */
  readonly mustBeFalse: readonly string[];
}

/** By `model_type`. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  qwen2: {
    causal: 'Qwen2ForCausalLM',
    attentionBias: true,
    queryKeyNorm: false,
    mustBeFalse: ['use_sliding_window'],
  },
  qwen3: {
    causal: 'Qwen3ForCausalLM',
    attentionBias: false,
    queryKeyNorm: true,
    headWidth: 128,
    mustBeFalse: ['use_sliding_window', 'attention_bias'],
  },
  llama: {
    causal: 'LlamaForCausalLM',
    attentionBias: false,
    queryKeyNorm: false,
    mustBeFalse: ['attention_bias', 'mlp_bias'],
  },
};

export interface HuggingFaceConfig {
  /** `model_type` */
  readonly architecture: string;
  readonly spec: ModelSpec;
  /** `torch_dtype` or `dtype`, e.g. bfloat16; null where it is not said. */
  readonly dtype: string | null;
}

/**
 * @param hasOutputMatrix whether the weights have one: decides where the configuration does not say it.
 * @throws ModelFileError naming the file, the field, what stands there and what is accepted.
 */
export async function readHuggingFaceConfig(
  folder: string,
  hasOutputMatrix: boolean,
): Promise<HuggingFaceConfig> {
  const file = path.join(folder, CONFIG_FILE);
  const fields = new Fields(file, await readJson(file));
  return parseConfig(file, fields, await generationFields(folder), hasOutputMatrix);
}

const DTYPE_NAMES: Readonly<Record<Dtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Where a config.json names the weights' type, it names this one from now on: Transformers 5 loads by it. */
export async function nameDtype(file: string, dtype: Dtype): Promise<void> {
  const config = (await readJson(file)) as Record<string, unknown>;
  const keys = ['dtype', 'torch_dtype'].filter((key) => key in config && config[key] !== DTYPE_NAMES[dtype]);
  if (keys.length === 0) return;
  for (const key of keys) config[key] = DTYPE_NAMES[dtype];
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
}

function parseConfig(
  file: string,
  fields: Fields,
  generation: Fields | undefined,
  hasOutputMatrix: boolean,
): HuggingFaceConfig {
  const architecture = fields.oneOf('model_type', Object.keys(ARCHITECTURES));
  const { causal, attentionBias, queryKeyNorm, headWidth, mustBeFalse } = ARCHITECTURES[
    architecture
  ] as Architecture;
  const classes = fields.get('architectures');
  if (classes !== undefined && !(Array.isArray(classes) && classes.includes(causal)))
    fields.fail('architectures', `is ["${causal}"] with model_type ${architecture}`);
  for (const name of mustBeFalse) if (fields.flag(name, false)) fields.fail(name, 'is false');
  if (fields.get('quantization_config') !== undefined)
    fields.fail('quantization_config', 'are weights of F32, F16 or BF16: there must be none');
  const layerTypes = fields.get('layer_types');
  if (
    layerTypes !== undefined &&
    !(Array.isArray(layerTypes) && layerTypes.every((type) => type === 'full_attention'))
  )
    fields.fail('layer_types', 'is full_attention in every layer');
  fields.oneOf('hidden_act', ['silu'], 'silu');
  const [width, heads] = [fields.count('hidden_size'), fields.count('num_attention_heads')];
  if (fields.get('head_dim') === undefined && headWidth === undefined && width % heads !== 0)
    fields.fail('num_attention_heads', `are divisors of hidden_size, ${width}, where there is no head_dim`);
  const vocabulary = fields.count('vocab_size');
  const isToken = (token: number): boolean => token >= 0 && token < vocabulary;
  const stated = generation?.tokens('eos_token_id') ?? [];
  // A token that the vocabulary does not have is never drawn, so that it ends nothing.
  const ends = (stated.length > 0 ? stated : fields.tokens('eos_token_id')).filter(isToken);
  const [endToken, ...moreEndTokens] = ends;
  const padToken = fields.tokens('pad_token_id').find(isToken) ?? endToken ?? 0;
  const spec: ModelSpec = {
    vocabulary,
    layers: fields.count('num_hidden_layers'),
    width,
    heads,
    keyValueHeads: fields.count('num_key_value_heads', heads),
    headWidth: fields.count('head_dim', headWidth ?? width / heads),
    hidden: fields.count('intermediate_size'),
    context: fields.count('max_position_embeddings'),
    ...(attentionBias ? { attentionBias } : {}),
    ...(queryKeyNorm ? { queryKeyNorm } : {}),
    ...(fields.flag('tie_word_embeddings', !hasOutputMatrix) ? {} : { untied: true }),
    normEpsilon: fields.positive('rms_norm_eps', 1e-6),
    ...rotary(fields),
    rotaryInGraph: true,
    padToken,
    ...(endToken === undefined ? {} : { endToken }),
    ...(moreEndTokens.length === 0 ? {} : { moreEndTokens }),
  };
  try {
    checkSpec(spec);
  } catch (error) {
    throw new ModelFileError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  const dtype = fields.get('dtype') ?? fields.get('torch_dtype');
  return { architecture, spec, dtype: typeof dtype === 'string' ? dtype : null };
}

/** `rope_parameters` of Transformers 5, or `rope_theta` and `rope_scaling` of 4, whose older files call the type `type`. */
function rotary(fields: Fields): { rotaryBase: number; rotaryScaling?: RotaryScaling } {
  const parameters = fields.within('rope_parameters');
  const scaling = parameters ?? fields.within('rope_scaling');
  const rotaryBase = (parameters?.get('rope_theta') === undefined ? fields : parameters).positive(
    'rope_theta',
    10_000,
  );
  if (scaling === undefined) return { rotaryBase };
  const key =
    scaling.get('rope_type') === undefined && scaling.get('type') !== undefined ? 'type' : 'rope_type';
  if (scaling.oneOf(key, ['default', 'llama3'], 'default') === 'default') return { rotaryBase };
  return {
    rotaryBase,
    rotaryScaling: {
      factor: scaling.positive('factor'),
      lowFrequencyFactor: scaling.positive('low_freq_factor'),
      highFrequencyFactor: scaling.positive('high_freq_factor'),
      originalContext: scaling.positive(
        'original_max_position_embeddings',
        fields.count('max_position_embeddings'),
      ),
    },
  };
}
