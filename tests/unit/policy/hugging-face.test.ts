/** Hugging Face folders: config.json of both generations, names and shapes of weights, and what is refused. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parameterShapes } from '../../../src/policy/engine/parameters.js';
import { rotaryFrequencies } from '../../../src/policy/engine/rotary.js';
import { readHuggingFaceConfig } from '../../../src/policy/hugging-face/config.js';
import { openHuggingFaceModel } from '../../../src/policy/hugging-face/folder.js';
import { cutSources, joinSources, weightMappings } from '../../../src/policy/hugging-face/names.js';
import type { ModelSpec } from '../../../src/policy/port.js';
import type { TensorShape } from '../../../src/policy/safetensors/format.js';
import { writeSafetensorsFolder } from '../../../src/policy/safetensors/writer.js';
import { sizeOf } from '../../../src/policy/shape.js';
import { Random } from '../../../src/random.js';

/** The fields of Transformers 4 for a small Qwen2. */
const qwen2 = {
  architectures: ['Qwen2ForCausalLM'],
  attention_dropout: 0.0,
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 16,
  intermediate_size: 24,
  max_position_embeddings: 128,
  max_window_layers: 2,
  model_type: 'qwen2',
  num_attention_heads: 4,
  num_hidden_layers: 2,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 1000000.0,
  sliding_window: null,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_sliding_window: false,
  vocab_size: 64,
};
const llama3Scaling = {
  factor: 32,
  high_freq_factor: 4,
  low_freq_factor: 1,
  original_max_position_embeddings: 8192,
  rope_type: 'llama3',
};
const llama = {
  ...qwen2,
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  attention_bias: false,
  mlp_bias: false,
  head_dim: 4,
  tie_word_embeddings: false,
  eos_token_id: [7, 8, 9],
};
const qwen3 = {
  ...qwen2,
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  head_dim: 8,
  attention_bias: false,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-hugging-face-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const put = (name: string, value: unknown): Promise<void> =>
  writeFile(path.join(folder, name), JSON.stringify(value));

async function specOf(config: object, hasOutputMatrix = false): Promise<ModelSpec> {
  await put('config.json', config);
  return (await readHuggingFaceConfig(folder, hasOutputMatrix)).spec;
}

describe('config.json', () => {
  it('of Qwen2: biases, grouped heads, one matrix for input and output', async () => {
    await put('config.json', qwen2);
    expect(await readHuggingFaceConfig(folder, false)).toEqual({
      architecture: 'qwen2',
      dtype: 'bfloat16',
      spec: {
        vocabulary: 64,
        layers: 2,
        width: 16,
        heads: 4,
        keyValueHeads: 2,
        headWidth: 4,
        hidden: 24,
        context: 128,
        attentionBias: true,
        normEpsilon: 1e-6,
        rotaryBase: 1e6,
        rotaryInGraph: true,
        padToken: 2,
        endToken: 2,
      },
    });
  });

  it('of Qwen3: head width of its own, 128 where it is not said', async () => {
    expect(await specOf(qwen3)).toMatchObject({ headWidth: 8, queryKeyNorm: true });
    const { head_dim: _, ...silent } = qwen3;
    expect(await specOf(silent)).toMatchObject({ headWidth: 128 });
    expect(await specOf(qwen3)).not.toHaveProperty('attentionBias');
  });

  it('of Llama 3: stretched positions, several end tokens, an output matrix', async () => {
    const spec = await specOf({ ...llama, rope_scaling: llama3Scaling });
    expect(spec).toMatchObject({
      rotaryScaling: { factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192 },
      untied: true,
      endToken: 7,
      moreEndTokens: [8, 9],
    });
  });

  it('says the same in the words of Transformers 5', async () => {
    const modern = (config: Record<string, unknown>, parameters: object): object => {
      const { rope_theta, rope_scaling: _, torch_dtype, ...rest } = config;
      return { ...rest, dtype: torch_dtype, rope_parameters: { rope_theta, ...parameters } };
    };
    expect(await specOf(modern(qwen2, { rope_type: 'default' }))).toEqual(await specOf(qwen2));
    const stretched = { ...llama, rope_scaling: llama3Scaling };
    expect(await specOf(modern(llama, llama3Scaling))).toEqual(await specOf(stretched));
    expect((await readHuggingFaceConfig(folder, false)).dtype).toBe('bfloat16');
  });

  it('leaves the output matrix to the weights where it says nothing of it', async () => {
    const { tie_word_embeddings: _, ...silent } = qwen2;
    expect(await specOf(silent, true)).toMatchObject({ untied: true });
    expect(await specOf(silent, false)).not.toHaveProperty('untied');
  });

  it('gives way to generation_config.json for end tokens', async () => {
    await put('generation_config.json', { eos_token_id: [5, 3], pad_token_id: 0 });
    expect(await specOf(qwen2)).toMatchObject({ endToken: 5, moreEndTokens: [3] });
  });

  it('may name no end token, or one that the vocabulary does not have', async () => {
    expect(await specOf({ ...qwen2, eos_token_id: null })).not.toHaveProperty('endToken');
    expect(await specOf({ ...qwen2, eos_token_id: 151_645 })).not.toHaveProperty('endToken');
  });

  it.each([
    [{ model_type: 'gemma2' }, /config\.json: model_type is "gemma2"; accepted are qwen2, qwen3, llama/],
    [{ model_type: undefined }, /config\.json has no model_type; accepted are qwen2, qwen3, llama/],
    [
      { architectures: ['Qwen2Model'] },
      /architectures is \["Qwen2Model"\]; accepted is \["Qwen2ForCausalLM"\]/,
    ],
    [{ hidden_size: undefined }, /config\.json has no hidden_size; accepted are/],
    [{ hidden_size: '16' }, /hidden_size is "16"; accepted are/],
    [{ num_key_value_heads: 3 }, /heads is 4; accepted are multiples of keyValueHeads, 3/],
    [
      { num_attention_heads: 3, num_key_value_heads: 1 },
      /num_attention_heads is 3; accepted are divisors of hidden_size, 16, where there is no head_dim/,
    ],
    [{ hidden_act: 'gelu' }, /hidden_act is "gelu"; accepted is silu/],
    [{ use_sliding_window: true }, /use_sliding_window is true; accepted is false/],
    [
      { layer_types: ['sliding_attention', 'full_attention'] },
      /layer_types is .*; accepted is full_attention/,
    ],
    [
      { rope_scaling: { rope_type: 'yarn', factor: 4 } },
      /rope_scaling: rope_type is "yarn"; accepted are default, llama3/,
    ],
    [
      { rope_scaling: { type: 'linear', factor: 4 } },
      /rope_scaling: type is "linear"; accepted are default, llama3/,
    ],
    [
      { rope_scaling: { rope_type: 'llama3', factor: 4 } },
      /rope_scaling has no low_freq_factor; accepted are numbers/,
    ],
    [
      { quantization_config: { quant_method: 'gptq' } },
      /quantization_config is .*; accepted are weights of F32/,
    ],
    [{ eos_token_id: 'two' }, /eos_token_id is "two"; accepted are a token or a list of tokens/],
  ])('is refused: %j', async (over, message) => {
    await expect(specOf({ ...qwen2, ...over })).rejects.toThrow(message);
  });

  it('is refused where it is missing or no JSON', async () => {
    await expect(readHuggingFaceConfig(folder, false)).rejects.toThrow(
      /config\.json cannot be read \(ENOENT\)/,
    );
    await writeFile(path.join(folder, 'config.json'), '{');
    await expect(readHuggingFaceConfig(folder, false)).rejects.toThrow(/config\.json is not JSON/);
  });
});

describe('stretched positions', () => {
  it('leave short wavelengths, stretch long ones, and go over smoothly', async () => {
    const spec = await specOf({ ...llama, head_dim: 64, rope_theta: 500_000, rope_scaling: llama3Scaling });
    const { rotaryScaling: _, ...plainSpec } = spec;
    const [stretched, plain] = [rotaryFrequencies(spec), rotaryFrequencies(plainSpec)];
    const ratios = stretched.map((frequency, i) => (plain[i] ?? 0) / frequency);
    expect(ratios[0]).toBe(1);
    expect(ratios.at(-1)).toBeCloseTo(32, 10);
    ratios.slice(1).forEach((ratio, i) => expect(ratio).toBeGreaterThanOrEqual((ratios[i] ?? 0) - 1e-12));
    expect(ratios.filter((ratio) => ratio > 1.001 && ratio < 31.9).length).toBeGreaterThan(0);
  });
});

const data = (shapes: readonly TensorShape[]): ReadonlyMap<string, Float32Array> => {
  const random = new Random(4);
  return new Map(
    shapes.map(({ name, shape }) => [
      name,
      Float32Array.from({ length: sizeOf(shape) }, () => random.uniform()),
    ]),
  );
};

describe.each([
  ['qwen2', qwen2],
  ['qwen3', qwen3],
  ['llama', llama],
])('weights of %s', (_name, config) => {
  it('go over into our parameters and back, bit for bit', async () => {
    const spec = await specOf(config, true);
    const mappings = weightMappings(spec);
    expect(mappings.map(({ parameter }) => parameter)).toEqual(
      parameterShapes(spec).map(({ name, shape }) => ({ name, shape })),
    );
    const theirs = data(mappings.flatMap(({ sources }) => sources));
    for (const mapping of mappings) {
      const ours = await joinSources(mapping, (name) => Promise.resolve(theirs.get(name) as Float32Array));
      for (const { name, data } of cutSources(mapping, ours)) expect(data).toEqual(theirs.get(name));
    }
  });

  it('stand in the columns of our fused matrices as rows there', async () => {
    const spec = await specOf(config);
    const mapping = weightMappings(spec).find(({ parameter }) => parameter.name === 'layer1.qkv');
    if (mapping === undefined) throw new Error('no mapping');
    const theirs = data(mapping.sources);
    const ours = await joinSources(mapping, (name) => Promise.resolve(theirs.get(name) as Float32Array));
    const columns = mapping.parameter.shape[1] as number;
    let at = 0;
    for (const { name, shape } of mapping.sources) {
      const [out, input] = shape as [number, number];
      for (const [row, column] of [
        [0, 0],
        [out - 1, input - 1],
        [1, 3],
      ] as const)
        expect(ours[column * columns + at + row]).toBe(theirs.get(name)?.[row * input + column]);
      at += out;
    }
    expect(mapping.sources.map(({ name }) => name)).toEqual(
      ['q', 'k', 'v'].map((part) => `model.layers.1.self_attn.${part}_proj.weight`),
    );
  });
});

describe('a folder', () => {
  const write = async (change: (shapes: TensorShape[]) => readonly TensorShape[]): Promise<void> => {
    const spec = await specOf(qwen2);
    const shapes = change(weightMappings(spec).flatMap(({ sources }) => [...sources]));
    const values = data(shapes);
    await writeSafetensorsFolder(folder, shapes, (name) => values.get(name) as Float32Array, {
      dtype: 'BF16',
    });
  };

  it('is opened where all fits, redundant tensors or not', async () => {
    await write((shapes) => [
      ...shapes,
      { name: 'lm_head.weight', shape: [64, 16] },
      { name: 'model.layers.0.self_attn.rotary_emb.inv_freq', shape: [2] },
    ]);
    const model = await openHuggingFaceModel(folder);
    expect(model.weightTypes).toEqual(['BF16']);
    expect(model.spec.layers).toBe(2);
    await model.source.close();
  });

  it.each<[string, (shapes: TensorShape[]) => readonly TensorShape[], RegExp]>([
    [
      'a missing tensor',
      (shapes) => shapes.filter(({ name }) => !name.includes('layers.1.mlp.up_proj')),
      /has no tensor model\.layers\.1\.mlp\.up_proj\.weight; the model needs it, of shape \[24, 16\]/,
    ],
    [
      'a wrong shape',
      (shapes) =>
        shapes.map((tensor) => (tensor.name === 'model.norm.weight' ? { ...tensor, shape: [15] } : tensor)),
      /model\.safetensors: tensor model\.norm\.weight has shape \[15\]; accepted is \[16\]/,
    ],
    [
      'a tensor that is none of the architecture',
      (shapes) => [...shapes, { name: 'model.layers.0.self_attn.q_norm.weight', shape: [4] }],
      /tensor model\.layers\.0\.self_attn\.q_norm\.weight is none of this architecture's/,
    ],
  ])('is refused for %s', async (_what, change, message) => {
    await write(change);
    await expect(openHuggingFaceModel(folder)).rejects.toThrow(message);
  });
});
