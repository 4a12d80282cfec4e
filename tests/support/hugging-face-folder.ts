/** A folder as Hugging Face lays it out: a small Llama with random weights, and a committed tokenizer of 384 tokens. */
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { weightMappings } from '../../src/policy/hugging-face/names.js';
import { readHuggingFaceConfig } from '../../src/policy/hugging-face/config.js';
import type { ModelSpec } from '../../src/policy/port.js';
import { writeSafetensorsFolder } from '../../src/policy/safetensors/writer.js';
import { sizeOf } from '../../src/policy/shape.js';
import { Random } from '../../src/random.js';

const TOKENIZER = fileURLToPath(new URL('../golden/tokenizer/digits', import.meta.url));

export const SMALL_LLAMA = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  eos_token_id: [2, 0],
  vocab_size: 384,
};

/** @param config overrides fields of config.json */
export async function writeSmallLlama(folder: string, config: object = {}, seed = 1): Promise<ModelSpec> {
  await cp(TOKENIZER, folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...SMALL_LLAMA, ...config }));
  const { spec } = await readHuggingFaceConfig(folder, false);
  const random = new Random(seed);
  const tensors = weightMappings(spec).flatMap(({ sources }) => sources);
  await writeSafetensorsFolder(folder, tensors, (name) => {
    const { shape } = tensors.find((tensor) => tensor.name === name) ?? { shape: [] };
    return Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() - 0.5);
  });
  return spec;
}
