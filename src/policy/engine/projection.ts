/**
 * Projections that share their input, held as one fused matrix [in, sum of parts].
 *
 * Where the matrix is small against the activations it is cut, and each part multiplied alone: columns of activations
 * are strided copies, of more bytes. Else the product is taken whole and cut, which copies and holds no weights.
 *
 * A part may have a low-rank adapter beside its weights W (lora.ts): y = x W + (alpha / rank) (x A) B.
 */
import type { ModelSpec } from '../port.js';
import type { Tape } from './differentiable.js';
import type { Tensor } from './graph.js';

/** Widths up to which weights are cut rather than activations; on two cores, 4,096 tokens a step. */
const NARROW = 256;

export interface Projection {
  /** One a part, or the fused one alone. */
  readonly weights: readonly Tensor[];
  /** Of all parts. */
  readonly bias: Tensor | undefined;
  readonly parts: readonly number[];
  /** By part; shorter where the last parts have none. */
  readonly adapters: readonly (Adapter | undefined)[];
}

export interface Adapter {
  /** [in, rank] */
  readonly a: Tensor;
  /** [rank, part] */
  readonly b: Tensor;
  /** alpha / rank */
  readonly scale: number;
}

/**
 * To be called outside loops: what is cut, is cut once.
 * @param rows `few`: the activations of one position a row are cut, however narrow; what they cost is nothing beside a
 * product of its own for each part.
 */
export function projection(
  tape: Tape,
  spec: ModelSpec,
  weight: Tensor,
  parts: readonly number[],
  {
    bias,
    adapters = [],
    rows = 'many',
  }: {
    readonly bias?: Tensor | undefined;
    readonly adapters?: Projection['adapters'];
    readonly rows?: 'many' | 'few';
  } = {},
): Projection {
  const cut = rows === 'many' && parts.length > 1 && bias === undefined && spec.width <= NARROW;
  return { weights: cut ? tape.split(weight, 1, parts) : [weight], bias, parts, adapters };
}

/** x [n, in] -> [n, part] each */
export function project(tape: Tape, x: Tensor, projection: Projection): Tensor[] {
  return unadapted(tape, x, projection).map((y, i) => {
    const adapter = projection.adapters[i];
    if (adapter === undefined) return y;
    // The scale meets what is narrowest.
    return tape.add(y, tape.matMul(tape.scale(tape.matMul(x, adapter.a), adapter.scale), adapter.b));
  });
}

/** Without adapters. */
function unadapted(tape: Tape, x: Tensor, { weights, bias, parts }: Projection): Tensor[] {
  const [first] = weights;
  if (first === undefined || weights.length > 1) return weights.map((weight) => tape.matMul(x, weight));
  const product = tape.matMul(x, first);
  const whole = bias === undefined ? product : tape.addBias(product, bias);
  return parts.length === 1 ? [whole] : tape.split(whole, 1, parts);
}

/** Of one part: x [n, in] -> [n, out] */
export function projectWhole(tape: Tape, x: Tensor, projection: Projection): Tensor {
  return project(tape, x, projection)[0] as Tensor;
}
