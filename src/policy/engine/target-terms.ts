/**
 * What the loss needs of each token's distribution over the vocabulary: the target's log-probability, the entropy, and the
 * gradient of a weighted sum of both with respect to the logits,
 *
 *   d/dlogits_i = g_i (onehot_i - p_i) + c_i p_i (log p_i + H_i)
 *
 * for the factors g_i of log p_i[target_i] and -c_i of H_i. Small vocabularies: by rows of one-hot and probabilities.
 * Large ones hold as few rows as long as the vocabulary as they can, and go over them as seldom as they can: p alone is
 * held, and with z the logits, M = sum_v p_v z_v,
 *
 *   log sum exp z = max z - log max p,  log p_v = z_v - log sum exp z,  H = log sum exp z - M
 *   gradient = p (c (z - M) - g) + g onehot
 */
import type { ModelSpec } from '../port.js';
import { ONE_HOT_ROWS } from './differentiable.js';
import type { Tensor } from './graph.js';
import type { Operations } from './operations.js';

export interface TargetTerms {
  /** [n]: log-probabilities of the targets. */
  readonly chosen: Tensor;
  /** [n], nats */
  readonly entropy: Tensor;
  /**
   * @param g [n]
   * @param c [n]; null where the entropy has no part in the loss, which large vocabularies make use of.
   * @returns [n, vocabulary]
   */
  gradient(g: Tensor, c: Tensor | null): Tensor;
}

/** @param logits [n, vocabulary], masked by the grammar. @param targets [n] int */
export function targetTerms(o: Operations, spec: ModelSpec, logits: Tensor, targets: Tensor): TargetTerms {
  const column = (x: Tensor): Tensor => o.reshape(x, [-1, 1]);
  const negative = (x: Tensor): Tensor => o.sub(o.graph.scalar(0), x);
  if (spec.vocabulary <= ONE_HOT_ROWS) {
    const logP = o.logSoftmax(logits);
    const p = o.exp(logP);
    const hit = o.oneHot(targets, spec.vocabulary);
    const entropy = negative(o.sum(o.mul(p, logP), [1]));
    return {
      chosen: o.sum(o.mul(hit, logP), [1]),
      entropy,
      gradient: (g, c) => {
        const policy = o.mul(column(g), o.sub(hit, p));
        if (c === null) return policy;
        return o.add(policy, o.mul(column(c), o.mul(p, o.add(logP, column(entropy)))));
      },
    };
  }
  const p = o.softmax(logits);
  const largest = o.max(logits, [1]);
  const logSum = o.sub(largest, o.log(o.max(p, [1])));
  const mean = o.sum(o.mul(p, logits), [1]);
  const places = o.pairs(o.range(o.size(targets, 0)), targets);
  return {
    chosen: o.sub(o.gatherNd(logits, places), logSum),
    entropy: o.sub(logSum, mean),
    gradient: (g, c) => {
      const factor =
        c === null ? column(negative(g)) : o.sub(o.mul(column(c), logits), column(o.add(o.mul(c, mean), g)));
      return o.addAt(o.mul(p, factor), places, g);
    },
  };
}
