/** What both ways of stepping a parameter share: into new tensors (update.ts), in place (update-in-place.ts). */
import type { Tensor } from './graph.js';
import type { NativeTensor } from './native.js';
import type { Operations } from './operations.js';

/** Told of what a step no longer needs, as it goes. */
export interface Release {
  gradients(tensors: readonly NativeTensor[]): void;
  /** The model's own tensors, which the step may write into then. Absent: the caller keeps them as they are. */
  model?(tensors: readonly NativeTensor[]): void;
}

/** The settings of a step as scalars; `settings` is the vector that Update.run makes. */
export function adamScalars(o: Operations, settings: Tensor) {
  const at = (index: number): Tensor => o.entry(settings, index);
  return { rate: at(0), b1: at(1), b2: at(2), epsilon: at(3), shrink: at(4), clip: at(5) };
}

/** Parameter and moments after a step, as update.ts has the formulas. */
export function steppedParameter(
  o: Operations,
  { p, m, v, g }: Readonly<Record<'p' | 'm' | 'v' | 'g', Tensor>>,
  { rate, b1, b2, epsilon, shrink, clip }: ReturnType<typeof adamScalars>,
): [Tensor, Tensor, Tensor] {
  return o.adam({ p: o.mul(p, shrink), m, v, g: o.mul(g, clip) }, { rate, b1, b2, epsilon });
}
