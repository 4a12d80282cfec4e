/**
 * The least memory that an optimiser step can do with, so that one that cannot be done is refused before it is begun: the
 * system would end the process in the middle of it.
 *
 *   weights P and the two moments of the T that are trained, P + 2 T, and beside them the larger of
 *     gradients                                    T
 *     logits and what the layers keep              n V + L b s (4 d + 3 h + (heads + 2 keyValueHeads) headWidth),
 *                     computed again:              n V + L b s d
 *
 * each of 4 bytes, with n tokens of the loss, V the vocabulary, L layers, b rows of s tokens, d the width, h the hidden
 * layer's. Attention's scores and the operations' own room come on top: a step may still need more.
 */
import type { ModelSpec } from '../port.js';
import { trainedCount } from './lora.js';
import { requireMemory } from './memory.js';
import { attentionShape, parameterCount } from './parameters.js';

const BYTES = 4;

export interface MicrobatchSize {
  readonly rows: number;
  /** Of the longest row. */
  readonly length: number;
  /** Tokens of the loss. */
  readonly targets: number;
}

export function leastStepBytes(
  spec: ModelSpec,
  { rows, length, targets }: MicrobatchSize,
  recompute: boolean,
): number {
  const { headWidth, keyValueHeads } = attentionShape(spec);
  const { width, hidden, heads, layers } = spec;
  const kept = recompute ? width : 4 * width + 3 * hidden + (heads + 2 * keyValueHeads) * headWidth;
  const trained = trainedCount(spec);
  const activations = targets * spec.vocabulary + layers * rows * length * kept;
  return BYTES * (parameterCount(spec) + 2 * trained + Math.max(trained, activations));
}

/**
 * What this process holds counts as available: its allocator keeps what was let go of, and what is still in use is part of
 * the sum.
 * @throws MemoryNeededError naming the microbatch, what it needs and what is there.
 */
export function requireStepMemory(
  spec: ModelSpec,
  size: MicrobatchSize,
  recompute: boolean,
  available = process.availableMemory() + process.memoryUsage.rss(),
): void {
  requireMemory(
    `an optimiser step with ${size.rows} rows of up to ${size.length} tokens at once`,
    leastStepBytes(spec, size, recompute),
    available,
    `fewer rows at once (learner.microbatchRows, --microbatch-rows)${recompute ? '' : ', activations computed again (policy.gradientCheckpointing, --recompute)'}, shorter rows, adapters (policy.loraRank), or a machine with more`,
  );
}
