/**
 * Truncated sampling: which of a row's tokens may be drawn. In Transformers' order, each on what the one before kept:
 *
 *   top-k (Fan et al. 2018): the k most probable tokens
 *   top-p (Holtzman et al. 2020): the fewest most probable tokens whose mass reaches p
 *   min-p (Nguyen et al. 2024): tokens at least p times as probable as the most probable one
 *
 * All three keep what is at least as probable as some token, so together they are one threshold. Tokens as probable as
 * the last one kept are kept too. Rows are sorted whole, which costs more than a turn of a small model: graphs have
 * this only where a request asks for it.
 */
import type { Tensor } from './graph.js';
import type { Operations } from './operations.js';

export interface Truncation<T> {
  /** [b] int, 1 to vocabulary, which is off */
  readonly topK: T;
  /** [b] in (0, 1]; 1 is off */
  readonly topP: T;
  /** [b] in [0, 1]; 0 is off */
  readonly minP: T;
}

/** q [b, vocabulary] probabilities -> the same, 0 where truncated. */
export function truncated(
  o: Operations,
  vocabulary: number,
  q: Tensor,
  { topK, topP, minP }: Truncation<Tensor>,
): Tensor {
  const zero = o.graph.scalar(0);
  const column = (x: Tensor): Tensor => o.reshape(x, [-1, 1]);
  const atLeast = (x: Tensor, least: Tensor): Tensor => o.not(o.less(x, least));
  // [b, vocabulary], falling
  const sorted = o.largest(q, vocabulary);
  const rows = o.range(o.size(q, 0));
  const kth = column(o.gatherNd(sorted, o.pairs(rows, o.sub(topK, o.graph.int(1)))));
  const kept = o.select(atLeast(sorted, kth), sorted, zero);
  const before = o.sub(o.cumulativeSum(kept, 1), kept);
  const mass = o.mul(column(topP), o.sum(kept, [1], true));
  const nucleus = o.min(o.select(o.less(before, mass), kept, o.graph.scalar(2)), [1], true);
  const most = o.slice(sorted, 2, 1, 0, 1);
  const threshold = o.maximum(o.maximum(kth, nucleus), o.mul(column(minP), most));
  return o.select(atLeast(q, threshold), q, zero);
}
