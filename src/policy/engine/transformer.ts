/** The transformer over whole sequences: training, and the prompt part of sampling. Written once, differentiable. */
import type { ModelSpec } from '../port.js';
import type { Tape } from './differentiable.js';
import { type Rotation } from './differentiable.js';
import type { Graph, Tensor } from './graph.js';
import type { Operations } from './operations.js';
import { parameterShapes } from './parameters.js';

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

/** cos and sin of position * rotaryBase^(-2i/headWidth), each pair's angle twice: [positions, headWidth]. */
export function rotaryTables(spec: ModelSpec, positions: number): { cos: Float32Array; sin: Float32Array } {
  const w = spec.width / spec.heads;
  const base = spec.rotaryBase ?? 10_000;
  const cos = new Float32Array(positions * w);
  const sin = new Float32Array(positions * w);
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < w; i++) {
      const angle = p * base ** ((-2 * (i % (w / 2))) / w);
      cos[p * w + i] = Math.cos(angle);
      sin[p * w + i] = Math.sin(angle);
    }
  return { cos, sin };
}

/** x @ permutation = (-x2, x1) for x = (x1, x2): [headWidth, headWidth] */
export function rotaryPermutation(graph: Graph, spec: ModelSpec): Tensor {
  const w = spec.width / spec.heads;
  const half = w / 2;
  const values = new Float32Array(w * w);
  for (let i = 0; i < half; i++) {
    values[(i + half) * w + i] = -1;
    values[i * w + i + half] = 1;
  }
  return graph.constant(values, [w, w]);
}

export interface SequenceForward {
  /** After the last layer, before the final norm: [b * s, d] */
  readonly hidden: Tensor;
  /** Rotated keys and values by layer: [b, heads, s, headWidth] */
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
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
): SequenceForward {
  const { width: d, heads, layers, context } = spec;
  const w = d / heads;
  const s = o.size(tokens, 1);
  const places = o.range(s);
  const tables = rotaryTables(spec, context);
  const table = (values: Float32Array): Tensor =>
    o.reshape(o.gather(o.graph.constant(values, [context, w]), places), [-1, 1, w]);
  const rotation: Rotation = {
    headWidth: w,
    permutation: rotaryPermutation(o.graph, spec),
    cos: table(tables.cos),
    sin: table(tables.sin),
    shape: [-1, s, heads, w],
  };
  // [s, s]: nobody sees what comes later.
  const mask = o.select(
    o.greater(o.reshape(places, [1, -1]), o.reshape(places, [-1, 1])),
    o.graph.scalar(MASKED),
    o.graph.scalar(0),
  );

  const keys: Tensor[] = [];
  const values: Tensor[] = [];
  const heads4 = (x: Tensor): Tensor => tape.reshape(x, [-1, s, heads, w], [-1, d]);
  const byHead = (x: Tensor): Tensor => tape.transpose(x, [0, 2, 1, 3]);
  // [b * s, d]
  let x = tape.embedding(parameter(parameters, 'embedding'), o.reshape(tokens, [-1]), spec.vocabulary);
  for (let layer = 0; layer < layers; layer++) {
    const p = (name: string): Tensor => parameter(parameters, `layer${layer}.${name}`);
    // Splitting the weights is cheaper than splitting what comes out: columns of activations are strided copies.
    const [wq, wk, wv] = tape.split(p('qkv'), 1, 3) as [Tensor, Tensor, Tensor];
    const unit1 = tape.rmsNorm(x, p('norm1'));
    const query = byHead(tape.rotate(heads4(tape.matMul(unit1, wq)), rotation));
    const key = byHead(tape.rotate(heads4(tape.matMul(unit1, wk)), rotation));
    const value = byHead(heads4(tape.matMul(unit1, wv)));
    keys.push(key);
    values.push(value);
    // [b, heads, s, s]
    const attention = tape.maskedSoftmax(tape.batchMatMulTransposed(query, key), 1 / Math.sqrt(w), mask);
    const mixed = tape.transpose(tape.batchMatMul(attention, value), [0, 2, 1, 3]);
    x = tape.add(x, tape.matMul(tape.reshape(mixed, [-1, d], [-1, s, heads, w]), p('out')));
    const [wGate, wUp] = tape.split(p('gateUp'), 1, 2) as [Tensor, Tensor];
    const unit2 = tape.rmsNorm(x, p('norm2'));
    x = tape.add(
      x,
      tape.matMul(tape.gatedUnit(tape.matMul(unit2, wGate), tape.matMul(unit2, wUp)), p('down')),
    );
  }
  return { hidden: x, keys, values };
}

/** hidden [n, d] -> logits [n, vocabulary] */
export function logitsOf(tape: Tape, parameters: Parameters, hidden: Tensor): Tensor {
  return tape.matMulTransposed(
    tape.rmsNorm(hidden, parameter(parameters, 'norm')),
    parameter(parameters, 'embedding'),
  );
}
