/**
 * Projections that share their input, held as one fused matrix [in, sum of parts].
 *
 * Where the matrix is small against the activations it is cut, and each part multiplied alone: columns of activations
 * are strided copies, of more bytes. Else the product is taken whole and cut, which copies and holds no weights.
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
  bias?: Tensor,
  rows: 'many' | 'few' = 'many',
): Projection {
  const cut = rows === 'many' && bias === undefined && spec.width <= NARROW;
  return { weights: cut ? tape.split(weight, 1, parts) : [weight], bias, parts };
}

/** x [n, in] -> [n, part] each */
export function project(tape: Tape, x: Tensor, { weights, bias, parts }: Projection): Tensor[] {
  const [first] = weights;
  if (first === undefined || weights.length > 1) return weights.map((weight) => tape.matMul(x, weight));
  const whole = tape.matMul(x, first);
  return tape.split(bias === undefined ? whole : tape.addBias(whole, bias), 1, parts);
}
