/**
 * The transformer: its layer's parts, written once and differentiable, and the forward pass over whole sequences
 * (training, and the prompt part of sampling). One position against a cache: decode.ts.
 */
import type { ModelSpec } from '../port.js';
import { NORM_EPSILON, type Rotation, type Tape } from './differentiable.js';
import type { Graph, Tensor } from './graph.js';
import type { Operations, Shape } from './operations.js';
import { adapterName, adapterShapes, loraScale, PLACES, projectionShape } from './lora.js';
import { attentionShape, parameterShapes } from './parameters.js';
import { project, projection, projectWhole, type Adapter, type Projection } from './projection.js';
import { rotationOf } from './rotary.js';

/** What stands for minus infinity in a mask: far below any logit, and no NaN when a row is masked whole. */
export const MASKED = -1e9;

/**
 * Blocks that the queries of causal attention are cut into. Short rows are cheaper whole: a block has a dozen nodes of its
 * own, forward and back.
 */
const causalBlocks = ({ context }: ModelSpec): number => (context < 256 ? 1 : 4);

export type Parameters = ReadonlyMap<string, Tensor>;

/** In the order of parameterShapes, then of adapterShapes. */
export function parameterPlaceholders(graph: Graph, spec: ModelSpec): Map<string, Tensor> {
  return new Map(
    [...parameterShapes(spec), ...adapterShapes(spec)].map(({ name }) => [name, graph.placeholder('float')]),
  );
}

export function parameter(parameters: Parameters, name: string): Tensor {
  const tensor = parameters.get(name);
  if (tensor === undefined) throw new RangeError(`parameter ${name} does not exist`);
  return tensor;
}

/** A layer's parameters, ready for use. */
export interface Layer {
  readonly norm1: Tensor;
  readonly qkv: Projection;
  readonly queryNorm: Tensor | undefined;
  readonly keyNorm: Tensor | undefined;
  readonly out: Projection;
  readonly norm2: Tensor;
  readonly gateUp: Projection;
  readonly down: Projection;
}

/** @param rows see projection.ts */
export function layerOf(
  tape: Tape,
  spec: ModelSpec,
  parameters: Parameters,
  layer: number,
  rows: 'many' | 'few' = 'many',
): Layer {
  const name = (part: string): string => `layer${layer}.${part}`;
  const p = (part: string): Tensor => parameter(parameters, name(part));
  const maybe = (part: string): Tensor | undefined => parameters.get(name(part));
  const linear = (part: string, bias?: Tensor): Projection =>
    projection(tape, spec, p(part), projectionShape(spec, part).parts, {
      bias,
      adapters: adaptersOf(spec, parameters, layer, part),
      rows,
    });
  return {
    norm1: p('norm1'),
    qkv: linear('qkv', maybe('qkvBias')),
    queryNorm: maybe('queryNorm'),
    keyNorm: maybe('keyNorm'),
    out: linear('out'),
    norm2: p('norm2'),
    gateUp: linear('gateUp'),
    down: linear('down'),
  };
}

/** Of a layer's parameter, by its parts. */
function adaptersOf(
  { lora }: ModelSpec,
  parameters: Parameters,
  layer: number,
  part: string,
): Projection['adapters'] {
  const adapters: (Adapter | undefined)[] = [];
  for (const target of lora?.targets ?? []) {
    const place = PLACES[target];
    if (lora === undefined || place.parameter !== part) continue;
    adapters[place.part] = {
      a: parameter(parameters, adapterName(layer, target, 'loraA')),
      b: parameter(parameters, adapterName(layer, target, 'loraB')),
      scale: loraScale(lora),
    };
  }
  return adapters;
}

/** Every parameter of a layer, as it stands. */
function layerParameters(parameters: Parameters, layer: number): Tensor[] {
  return [...parameters].flatMap(([name, tensor]) => (name.startsWith(`layer${layer}.`) ? [tensor] : []));
}

/** x [n, d] / rms(x) * weight [d] */
export function norm(tape: Tape, spec: ModelSpec, x: Tensor, weight: Tensor): Tensor {
  return tape.rmsNorm(x, weight, spec.normEpsilon ?? NORM_EPSILON);
}

/**
 * Queries and keys, rotated, and values of x [n, d].
 * @param lead the axes that n stands for; at most one is -1.
 * @returns [...lead, heads, headWidth], and [...lead, keyValueHeads, headWidth] twice.
 */
export function queryKeyValue(
  tape: Tape,
  spec: ModelSpec,
  layer: Layer,
  x: Tensor,
  rotation: Rotation,
  lead: Shape,
): [Tensor, Tensor, Tensor] {
  const { headWidth: w, keyValueHeads } = attentionShape(spec);
  const [q, k, v] = project(tape, norm(tape, spec, x, layer.norm1), layer.qkv) as [Tensor, Tensor, Tensor];
  const byHead = (y: Tensor, heads: number, weight?: Tensor): Tensor => {
    const [flat, shape] = [
      [-1, heads * w],
      [...lead, heads, w],
    ] as const;
    if (weight === undefined) return tape.reshape(y, shape, flat);
    const rows = tape.reshape(y, [-1, w], flat);
    return tape.reshape(norm(tape, spec, rows, weight), shape, [-1, w]);
  };
  const turned = (y: Tensor, heads: number, weight?: Tensor): Tensor =>
    tape.rotate(byHead(y, heads, weight), rotation, lead.length + 2);
  return [
    turned(q, spec.heads, layer.queryNorm),
    turned(k, keyValueHeads, layer.keyNorm),
    byHead(v, keyValueHeads),
  ];
}

/** x [n, d] + down(silu(gate) * up) */
export function feedForward(tape: Tape, spec: ModelSpec, layer: Layer, x: Tensor): Tensor {
  const [gate, up] = project(tape, norm(tape, spec, x, layer.norm2), layer.gateUp) as [Tensor, Tensor];
  return tape.add(x, projectWhole(tape, tape.gatedUnit(gate, up), layer.down));
}

/** Rotated keys and values by layer: [b, keyValueHeads, s, headWidth] each. */
export interface KeysAndValues {
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
}

export interface SequenceForward extends KeysAndValues {
  /** After the last layer, before the final norm: [b * s, d] */
  readonly hidden: Tensor;
}

export interface SequenceOptions {
  /**
   * Of the same rows' first tokens, where `tokens` go on from them; what comes back has them too. Not differentiated.
   */
  readonly past?: KeysAndValues | undefined;
  /** Gradients compute each layer again from its input, instead of keeping what is inside it; no keys come back. */
  readonly recompute?: boolean;
}

/**
 * @param tokens [b, s], left-aligned; what is padded on the right is seen by no real token. Both sizes are free, s up to
 * the spec's context.
 */
export function sequenceForward(
  o: Operations,
  tape: Tape,
  spec: ModelSpec,
  parameters: Parameters,
  tokens: Tensor,
  { past, recompute = false }: SequenceOptions = {},
): SequenceForward {
  const s = o.size(tokens, 1);
  const before = past === undefined ? undefined : o.size(past.keys[0] as Tensor, 2);
  const places = before === undefined ? o.range(s) : o.add(o.range(s), before);
  const seenPlaces = before === undefined ? places : o.range(o.add(before, s));
  const rotation = rotationOf(o, spec)(places);
  // [s, seen]: nobody sees what comes later.
  const mask = o.select(
    o.greater(o.reshape(seenPlaces, [1, -1]), o.reshape(places, [-1, 1])),
    o.graph.scalar(MASKED),
    o.graph.scalar(0),
  );
  const keys: Tensor[] = [];
  const values: Tensor[] = [];
  // [b * s, d]
  let x = tape.embedding(parameter(parameters, 'embedding'), o.reshape(tokens, [-1]), spec.vocabulary);
  for (let i = 0; i < spec.layers; i++) {
    const key = past?.keys[i];
    const value = past?.values[i];
    const run = (on: Tape, from: Tensor): LayerForward =>
      layerForward(o, on, spec, layerOf(on, spec, parameters, i), from, { s, rotation, mask, key, value });
    if (recompute) {
      x = tape.recomputed(x, layerParameters(parameters, i), (on, from) => run(on, from).x);
    } else {
      const after = run(tape, x);
      keys.push(after.key);
      values.push(after.value);
      x = after.x;
    }
  }
  return { hidden: x, keys, values };
}

interface LayerForward {
  readonly x: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** x [b * s, d] through one layer; `given.key` and `given.value` are those of the tokens before. */
function layerForward(
  o: Operations,
  tape: Tape,
  spec: ModelSpec,
  layer: Layer,
  x: Tensor,
  given: {
    readonly s: Tensor;
    readonly rotation: Rotation;
    readonly mask: Tensor;
    readonly key: Tensor | undefined;
    readonly value: Tensor | undefined;
  },
): LayerForward {
  const { heads } = spec;
  const { headWidth: w, keyValueHeads, groups, parts } = attentionShape(spec);
  const { s, rotation, mask } = given;
  const byHead = (y: Tensor): Tensor => tape.transpose(y, [0, 2, 1, 3]);
  const [query, newKey, newValue] = queryKeyValue(tape, spec, layer, x, rotation, [-1, s]).map(byHead) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const key = given.key === undefined ? newKey : o.concat([given.key, newKey], 2);
  const value = given.value === undefined ? newValue : o.concat([given.value, newValue], 2);
  const seen = tape.attention(
    tape.reshape(query, [-1, keyValueHeads, groups, s, w], [-1, heads, s, w]),
    key,
    value,
    mask,
    // What was before is seen by all, and is not cut.
    { h: keyValueHeads, g: groups, n: s, w, blocks: given.key === undefined ? causalBlocks(spec) : 1 },
  );
  const byToken = byHead(tape.reshape(seen, [-1, heads, s, w], [-1, keyValueHeads, groups, s, w]));
  const mixed = tape.reshape(byToken, [-1, parts[0]], [-1, s, heads, w]);
  const attended = tape.add(x, projectWhole(tape, mixed, layer.out));
  return { x: feedForward(tape, spec, layer, attended), key, value };
}

/** hidden [n, d] -> logits [n, vocabulary] */
export function logitsOf(tape: Tape, spec: ModelSpec, parameters: Parameters, hidden: Tensor): Tensor {
  return tape.matMulTransposed(
    norm(tape, spec, hidden, parameter(parameters, 'norm')),
    parameter(parameters, spec.untied === true ? 'output' : 'embedding'),
  );
}
