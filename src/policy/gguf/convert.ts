/**
 * A GGUF file of the Llama architecture as a Hugging Face folder: config.json, model.safetensors (float32: the dequantised
 * numbers as they are), tokenizer.json, tokenizer_config.json, generation_config.json.
 *
 * llama.cpp rotates neighbouring pairs, Transformers the two halves of a head: its converter reorders the rows of queries
 * and keys, row h w + 2 i + j there being row h w + j w/2 + i here (head h of width w, i < w/2, j < 2). Undone here.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CONFIG_FILE } from '../hugging-face/config.js';
import { GENERATION_CONFIG_FILE } from '../hugging-face/generation-config.js';
import { TOKENIZER_FILE } from '../tokenizer/index.js';
import { ModelFileError, type TensorShape } from '../safetensors/format.js';
import { writeSafetensorsFolder } from '../safetensors/writer.js';
import { GgufMetadata } from './metadata.js';
import { openGguf, type GgufFile } from './reader.js';
import { tokenizerConfig, tokenizerDefinition } from './tokenizer.js';

/** llama.cpp's names of a layer's weights, and Transformers'. */
const IN_LAYER: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const OUTSIDE: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

/**
 * Writes into a folder that exists.
 * @throws ModelFileError naming what the file holds and what is accepted.
 */
export async function convertGguf(file: string, folder: string): Promise<void> {
  const gguf = await openGguf(file);
  try {
    const metadata = new GgufMetadata(gguf);
    const config = llamaConfig(metadata, gguf);
    const sources = new Map<string, string>();
    const tensors: TensorShape[] = [];
    for (const { name, shape } of gguf.tensors.values()) {
      const theirs = transformersName(name, file);
      sources.set(theirs, name);
      tensors.push({ name: theirs, shape });
    }
    const json = (name: string, value: object): Promise<void> =>
      writeFile(path.join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
    await json(CONFIG_FILE, config);
    await json(GENERATION_CONFIG_FILE, tokensOf(metadata));
    await writeFile(path.join(folder, TOKENIZER_FILE), tokenizerDefinition(metadata));
    await json('tokenizer_config.json', tokenizerConfig(metadata, config.max_position_embeddings));
    const heads: Readonly<Record<string, number>> = {
      q_proj: config.num_attention_heads,
      k_proj: config.num_key_value_heads,
    };
    await writeSafetensorsFolder(
      folder,
      tensors,
      async (name) => {
        const { data, shape } = await gguf.read(sources.get(name) ?? '');
        const rotated = heads[/(\w+)\.weight$/.exec(name)?.[1] ?? ''];
        return rotated === undefined ? data : halvesOfHeads(data, shape, rotated);
      },
      { metadata: { format: 'pt' } },
    );
  } finally {
    await gguf.close();
  }
}

function tokensOf(metadata: GgufMetadata): object {
  return {
    bos_token_id: metadata.optionalNumber('tokenizer.ggml.bos_token_id'),
    eos_token_id: metadata.optionalNumber('tokenizer.ggml.eos_token_id'),
    pad_token_id: metadata.optionalNumber('tokenizer.ggml.padding_token_id'),
  };
}

function llamaConfig(metadata: GgufMetadata, { tensors, file }: GgufFile) {
  metadata.oneOf('general.architecture', ['llama']);
  const scaling = metadata.optionalString('llama.rope.scaling.type');
  if (scaling !== undefined && scaling !== 'none')
    throw new ModelFileError(`${file}: llama.rope.scaling.type is ${scaling}; accepted is none`);
  const heads = metadata.positive('llama.attention.head_count');
  const width = metadata.positive('llama.embedding_length');
  // A float32 of the file in the fewest digits that mean it: 9.999999747378752e-6 is 1e-5.
  const short = (key: string): number => Number(metadata.positive(key).toPrecision(7));
  return {
    architectures: ['LlamaForCausalLM'],
    attention_bias: false,
    ...tokensOf(metadata),
    head_dim: metadata.optionalNumber('llama.attention.key_length') ?? width / heads,
    hidden_act: 'silu',
    hidden_size: width,
    intermediate_size: metadata.positive('llama.feed_forward_length'),
    max_position_embeddings: metadata.positive('llama.context_length'),
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: heads,
    num_hidden_layers: metadata.positive('llama.block_count'),
    num_key_value_heads: metadata.optionalNumber('llama.attention.head_count_kv') ?? heads,
    rms_norm_eps: short('llama.attention.layer_norm_rms_epsilon'),
    rope_scaling: null,
    rope_theta: metadata.optionalNumber('llama.rope.freq_base') ?? 10_000,
    tie_word_embeddings: !tensors.has('output.weight'),
    torch_dtype: 'float32',
    vocab_size: metadata.strings('tokenizer.ggml.tokens').length,
  };
}

function transformersName(name: string, file: string): string {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  const inLayer = IN_LAYER[part ?? ''];
  const theirs =
    OUTSIDE[name] ?? (inLayer === undefined ? undefined : `model.layers.${layer}.${inLayer}.weight`);
  if (theirs === undefined)
    throw new ModelFileError(
      `${file} holds tensor ${name}; accepted are ${[...Object.keys(OUTSIDE), ...Object.keys(IN_LAYER).map((key) => `blk.N.${key}.weight`)].join(', ')}`,
    );
  return theirs;
}

/** Rows in neighbouring pairs to rows in halves, head by head. */
function halvesOfHeads(pairs: Float32Array, [rows = 0, columns = 0]: readonly number[], heads: number) {
  const width = rows / heads;
  const halves = new Float32Array(pairs.length);
  for (let row = 0; row < rows; row++) {
    const [head, within] = [Math.floor(row / width), row % width];
    const to = head * width + (within % 2) * (width / 2) + Math.floor(within / 2);
    halves.set(pairs.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return halves;
}
