/**
 * The transformer: its layer's parts, written once and differentiable, and the forward pass over whole sequences
 * (training, and the prompt part of sampling). One position against a cache: decode.ts.
 */
import type { ModelSpec } from '../port.js';
import { NORM_EPSILON, type Rotation, type Tape } from './differentiable.js';
import type { Graph, Tensor } from './graph.js';
import type { Operations, Shape } from './operations.js';
import { attentionShape, parameterShapes } from './parameters.js';
import { projection, project, type Projection } from './projection.js';
import { rotationOf } from './rotary.js';

/** What stands for minus infinity in a mask: far below any logit, and no NaN when a row is masked whole. */
export const MASKED = -1e9;

export type Parameters = ReadonlyMap<string, Tensor>;

export function parameterPlaceholders(graph: Graph, spec: ModelSpec): Map<string, Tensor> {
  return new Map(parameterShapes(spec).map(({ name }) => [name, graph.placeholder('float')]));
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
  readonly out: Tensor;
  readonly norm2: Tensor;
  readonly gateUp: Projection;
  readonly down: Tensor;
}

export function layerOf(tape: Tape, spec: ModelSpec, parameters: Parameters, layer: number): Layer {
  const name = (part: string): string => `layer${layer}.${part}`;
  const p = (part: string): Tensor => parameter(parameters, name(part));
  const maybe = (part: string): Tensor | undefined => parameters.get(name(part));
  const { parts } = attentionShape(spec);
  return {
    norm1: p('norm1'),
    qkv: projection(tape, spec, p('qkv'), parts, maybe('qkvBias')),
    queryNorm: maybe('queryNorm'),
    keyNorm: maybe('keyNorm'),
    out: p('out'),
    norm2: p('norm2'),
    gateUp: projection(tape, spec, p('gateUp'), [spec.hidden, spec.hidden]),
    down: p('down'),
  };
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
    tape.rotate(byHead(y, heads, weight), rotation, [...lead, heads, w]);
  return [
    turned(q, spec.heads, layer.queryNorm),
    turned(k, keyValueHeads, layer.keyNorm),
    byHead(v, keyValueHeads),
  ];
}

/** x [n, d] + down(silu(gate) * up) */
export function feedForward(tape: Tape, spec: ModelSpec, layer: Layer, x: Tensor): Tensor {
  const [gate, up] = project(tape, norm(tape, spec, x, layer.norm2), layer.gateUp) as [Tensor, Tensor];
  return tape.add(x, tape.matMul(tape.gatedUnit(gate, up), layer.down));
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

/**
 * @param tokens [b, s], left-aligned; what is padded on the right is seen by no real token. Both sizes are free, s up to
 * the spec's context.
 * @param past of the same rows' first tokens, where `tokens` go on from them; what comes back has them too. Not
 * differentiated.
 */
export function sequenceForward(
  o: Operations,
  tape: Tape,
  spec: ModelSpec,
  parameters: Parameters,
  tokens: Tensor,
  past?: KeysAndValues,
): SequenceForward {
  const { heads } = spec;
  const { headWidth: w, keyValueHeads, groups, parts } = attentionShape(spec);
  const s = o.size(tokens, 1);
  const before = past === undefined ? undefined : o.size(past.keys[0] as Tensor, 2);
  const places = before === undefined ? o.range(s) : o.add(o.range(s), before);
  const seenPlaces = before === undefined ? places : o.range(o.add(before, s));
  const seenCount = before === undefined ? s : o.add(before, s);
  const rotation = rotationOf(o, spec)(places);
  // [s, seen]: nobody sees what comes later.
  const mask = o.select(
    o.greater(o.reshape(seenPlaces, [1, -1]), o.reshape(places, [-1, 1])),
    o.graph.scalar(MASKED),
    o.graph.scalar(0),
  );

  const keys: Tensor[] = [];
  const values: Tensor[] = [];
  const byHead = (x: Tensor): Tensor => tape.transpose(x, [0, 2, 1, 3]);
  // The queries of a group meet their key head as rows of one product: no key is repeated.
  const rows: Shape = groups === 1 ? [] : [-1, keyValueHeads, o.mul(o.graph.int(groups), s)];
  const group = (x: Tensor, last: number | Tensor): Tensor =>
    groups === 1 ? x : tape.reshape(x, [...rows, last], [-1, heads, s, last]);
  const ungroup = (x: Tensor, last: number | Tensor): Tensor =>
    groups === 1 ? x : tape.reshape(x, [-1, heads, s, last], [...rows, last]);
  // [b * s, d]
  let x = tape.embedding(parameter(parameters, 'embedding'), o.reshape(tokens, [-1]), spec.vocabulary);
  for (let i = 0; i < spec.layers; i++) {
    const layer = layerOf(tape, spec, parameters, i);
    const [query, newKey, newValue] = queryKeyValue(tape, spec, layer, x, rotation, [-1, s]).map(byHead) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const key = past === undefined ? newKey : o.concat([past.keys[i] as Tensor, newKey], 2);
    const value = past === undefined ? newValue : o.concat([past.values[i] as Tensor, newValue], 2);
    keys.push(key);
    values.push(value);
    // [b, heads, s, seen]
    const scores = ungroup(tape.batchMatMulTransposed(group(query, w), key), seenCount);
    const attention = tape.maskedSoftmax(scores, 1 / Math.sqrt(w), mask);
    const seen = ungroup(tape.batchMatMul(group(attention, seenCount), value), w);
    const mixed = tape.reshape(tape.transpose(seen, [0, 2, 1, 3]), [-1, parts[0]], [-1, s, heads, w]);
    x = tape.add(x, tape.matMul(mixed, layer.out));
    x = feedForward(tape, spec, layer, x);
  }
  return { hidden: x, keys, values };
}

/** hidden [n, d] -> logits [n, vocabulary] */
export function logitsOf(tape: Tape, spec: ModelSpec, parameters: Parameters, hidden: Tensor): Tensor {
  return tape.matMulTransposed(
    norm(tape, spec, hidden, parameter(parameters, 'norm')),
    parameter(parameters, spec.untied === true ? 'output' : 'embedding'),
  );
}
