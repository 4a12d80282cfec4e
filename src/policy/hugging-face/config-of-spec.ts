/**
 * config.json of a model that has none: the architecture whose class computes what the specification says, as
 * Transformers 4 writes it, which 5 reads too.
 */
import { attentionShape, endTokens } from '../engine/parameters.js';
import { NORM_EPSILON } from '../engine/differentiable.js';
import type { ModelSpec } from '../port.js';

/** The other way round: config.ts. */
export function configOfSpec(spec: ModelSpec): Record<string, unknown> {
  const { headWidth, keyValueHeads } = attentionShape(spec);
  const [modelType, architecture] =
    spec.queryKeyNorm === true
      ? ['qwen3', 'Qwen3ForCausalLM']
      : spec.attentionBias === true
        ? ['qwen2', 'Qwen2ForCausalLM']
        : ['llama', 'LlamaForCausalLM'];
  // Qwen2's class takes the width of a head from the two others.
  if (modelType === 'qwen2' && headWidth !== spec.width / spec.heads)
    throw new RangeError(
      `headWidth is ${headWidth} with biases of queries and keys; accepted is width / heads, ${spec.width / spec.heads}: no architecture here has both`,
    );
  const { rotaryScaling: scaling } = spec;
  const [end, ...more] = endTokens(spec);
  return {
    architectures: [architecture],
    model_type: modelType,
    vocab_size: spec.vocabulary,
    hidden_size: spec.width,
    intermediate_size: spec.hidden,
    num_hidden_layers: spec.layers,
    num_attention_heads: spec.heads,
    num_key_value_heads: keyValueHeads,
    ...(modelType === 'qwen2' ? {} : { head_dim: headWidth, attention_bias: false }),
    ...(modelType === 'llama' ? { mlp_bias: false } : { use_sliding_window: false }),
    hidden_act: 'silu',
    max_position_embeddings: spec.context,
    rms_norm_eps: spec.normEpsilon ?? NORM_EPSILON,
    rope_theta: spec.rotaryBase ?? 10_000,
    rope_scaling:
      scaling === undefined
        ? null
        : {
            rope_type: 'llama3',
            factor: scaling.factor,
            low_freq_factor: scaling.lowFrequencyFactor,
            high_freq_factor: scaling.highFrequencyFactor,
            original_max_position_embeddings: scaling.originalContext,
          },
    tie_word_embeddings: spec.untied !== true,
    bos_token_id: null,
    eos_token_id: more.length === 0 ? (end ?? null) : [end, ...more],
    pad_token_id: spec.padToken,
    torch_dtype: 'float32',
    use_cache: true,
  };
}
