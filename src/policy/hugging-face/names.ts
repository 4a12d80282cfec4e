/**
 * Hugging Face's names of weights and ours (engine/parameters.ts), both ways.
 *
 * | ours            | theirs                                                    | as held there          |
 * |-----------------|-----------------------------------------------------------|------------------------|
 * | embedding       | model.embed_tokens.weight                                 | [vocabulary, d]        |
 * | layerN.norm1    | model.layers.N.input_layernorm.weight                     | [d]                    |
 * | layerN.qkv      | model.layers.N.self_attn.{q,k,v}_proj.weight              | [out, d] each          |
 * | layerN.qkvBias  | model.layers.N.self_attn.{q,k,v}_proj.bias                | [out] each             |
 * | layerN.queryNorm| model.layers.N.self_attn.q_norm.weight                    | [headWidth]            |
 * | layerN.keyNorm  | model.layers.N.self_attn.k_norm.weight                    | [headWidth]            |
 * | layerN.out      | model.layers.N.self_attn.o_proj.weight                    | [d, heads * headWidth] |
 * | layerN.norm2    | model.layers.N.post_attention_layernorm.weight            | [d]                    |
 * | layerN.gateUp   | model.layers.N.mlp.{gate,up}_proj.weight                  | [hidden, d] each       |
 * | layerN.down     | model.layers.N.mlp.down_proj.weight                       | [d, hidden]            |
 * | norm            | model.norm.weight                                         | [d]                    |
 * | output          | lm_head.weight                                            | [vocabulary, d]        |
 *
 * A projection is [out, in] there and [in, out] here; fused ones stand side by side in our columns.
 */
import { attentionShape, parameterShapes } from '../engine/parameters.js';
import type { ModelSpec } from '../port.js';
import type { NamedTensor, TensorShape } from '../safetensors/format.js';
import { sizeOf } from '../shape.js';

export interface WeightMapping {
  /** Ours. */
  readonly parameter: TensorShape;
  /** Theirs, in the order of our columns. */
  readonly sources: readonly TensorShape[];
  /** Whether a row there is a column here. */
  readonly transposed: boolean;
}

/** In the order of parameterShapes. */
export function weightMappings(spec: ModelSpec): WeightMapping[] {
  const { headWidth, parts } = attentionShape(spec);
  const { width: d, hidden } = spec;
  const byProjection = (
    at: string,
    names: readonly string[],
    rows: readonly number[],
    rest: readonly number[],
  ) => names.map((name, i) => ({ name: at.replace('*', name), shape: [rows[i] as number, ...rest] }));
  const attention = (part: string, rest: readonly number[]) =>
    byProjection(`self_attn.*_proj.${part}`, ['q', 'k', 'v'], parts, rest);
  const inLayer: Readonly<Record<string, readonly TensorShape[]>> = {
    norm1: [{ name: 'input_layernorm.weight', shape: [d] }],
    qkv: attention('weight', [d]),
    qkvBias: attention('bias', []),
    queryNorm: [{ name: 'self_attn.q_norm.weight', shape: [headWidth] }],
    keyNorm: [{ name: 'self_attn.k_norm.weight', shape: [headWidth] }],
    out: [{ name: 'self_attn.o_proj.weight', shape: [d, parts[0]] }],
    norm2: [{ name: 'post_attention_layernorm.weight', shape: [d] }],
    gateUp: byProjection('mlp.*_proj.weight', ['gate', 'up'], [hidden, hidden], [d]),
    down: [{ name: 'mlp.down_proj.weight', shape: [d, hidden] }],
  };
  const outside: Readonly<Record<string, string>> = {
    embedding: 'model.embed_tokens.weight',
    norm: 'model.norm.weight',
    output: 'lm_head.weight',
  };
  return parameterShapes(spec).map(({ name, shape }): WeightMapping => {
    const parameter = { name, shape };
    const own = outside[name];
    if (own !== undefined) return { parameter, sources: [{ name: own, shape }], transposed: false };
    const [, layer, part] = /^layer(\d+)\.(\w+)$/.exec(name) ?? [];
    const sources = inLayer[part ?? ''];
    if (sources === undefined) throw new Error(`parameter ${name} has no name of Hugging Face's`);
    return {
      parameter,
      sources: sources.map((source) => ({ ...source, name: `model.layers.${layer ?? ''}.${source.name}` })),
      transposed: shape.length === 2,
    };
  });
}

/** Rows and columns that are copied at once: both sides' lines stay in the cache. */
const TILE = 32;

/** to[c * toStride + r] = from[r * fromStride + c] */
function transpose(
  rows: number,
  columns: number,
  from: Float32Array,
  fromStride: number,
  to: Float32Array,
  toStride: number,
): void {
  for (let r0 = 0; r0 < rows; r0 += TILE)
    for (let c0 = 0; c0 < columns; c0 += TILE) {
      const [r1, c1] = [Math.min(rows, r0 + TILE), Math.min(columns, c0 + TILE)];
      for (let c = c0; c < c1; c++)
        for (let r = r0; r < r1; r++) to[c * toStride + r] = from[r * fromStride + c] as number;
    }
}

/** @param values [rows, columns] @returns [columns, rows] */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length);
  transpose(rows, columns, values, columns, turned, rows);
  return turned;
}

/** Theirs -> ours; `sources` in the mapping's order. */
export async function joinSources(
  { parameter, sources, transposed }: WeightMapping,
  read: (name: string) => Promise<Float32Array>,
): Promise<Float32Array> {
  const [first] = sources;
  if (first !== undefined && sources.length === 1 && !transposed) return read(first.name);
  const data = new Float32Array(sizeOf(parameter.shape));
  const columns = parameter.shape.at(-1) ?? 0;
  let at = 0;
  for (const { name, shape } of sources) {
    const [rows = 0, width = 1] = shape;
    const values = await read(name);
    if (transposed) transpose(rows, width, values, width, data.subarray(at), columns);
    else data.set(values, at);
    at += rows;
  }
  return data;
}

/** Ours -> theirs. */
export function cutSources(
  { parameter, sources, transposed }: WeightMapping,
  data: Float32Array,
): NamedTensor[] {
  const columns = parameter.shape.at(-1) ?? 0;
  let at = 0;
  return sources.map(({ name, shape }) => {
    const [rows = 0, width = 1] = shape;
    if (!transposed) {
      const values = data.subarray(at, at + sizeOf(shape));
      at += values.length;
      return { name, shape, data: values };
    }
    const values = new Float32Array(rows * width);
    transpose(width, rows, data.subarray(at), columns, values, width);
    at += rows;
    return { name, shape, data: values };
  });
}
