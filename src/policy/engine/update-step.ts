/** What both ways of stepping a parameter share: update.ts in groups, update-large.ts one in three calls. */
import type { Tensor } from './graph.js';
import type { NativeTensor } from './native.js';
import type { Operations } from './operations.js';

/** Told of what a step no longer needs, as it goes: gradients, and the model's own tensors, which the caller may keep. */
export interface Release {
  gradients(tensors: readonly NativeTensor[]): void;
  model(tensors: readonly NativeTensor[]): void;
}

/** The settings of a step as scalars; `settings` is the vector that Update.run makes. */
export function adamScalars(o: Operations, settings: Tensor) {
  const at = (index: number): Tensor => o.entry(settings, index);
  return { rate: at(0), b1: at(1), b2: at(2), epsilon: at(3), shrink: at(4), clip: at(5) };
}

export type AdamScalars = ReturnType<typeof adamScalars>;
