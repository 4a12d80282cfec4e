/** Picks along rows as long as the vocabulary: by one-hot rows where it is small, else without rows of their own. */
import { ONE_HOT_ROWS } from './differentiable.js';
import type { Tensor } from './graph.js';
import type { Operations } from './operations.js';

/** values [b, vocabulary], indices [b] int -> values[i, indices[i]], [b] */
export function entriesOf(o: Operations, vocabulary: number, values: Tensor, indices: Tensor): Tensor {
  if (vocabulary <= ONE_HOT_ROWS) return o.sum(o.mul(o.oneHot(indices, vocabulary), values), [1]);
  return o.gatherNd(values, o.pairs(o.range(o.size(indices, 0)), indices));
}

/** cumulative [b, vocabulary], threshold [b, 1] -> the first place of each row above its threshold, [b] int */
export function firstAbove(o: Operations, vocabulary: number, cumulative: Tensor, threshold: Tensor): Tensor {
  if (vocabulary <= ONE_HOT_ROWS) return o.argMax(o.cast(o.greater(cumulative, threshold), 'float'), 1);
  return o.reshape(o.upperBound(cumulative, threshold), [-1]);
}
