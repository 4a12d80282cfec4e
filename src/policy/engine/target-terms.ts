/**
 * What the loss needs of each token's distribution over the vocabulary: the target's log-probability, the entropy, and the
 * gradient of a weighted sum of both with respect to the logits,
 *
 *   d/dlogits_i = g_i (onehot_i - p_i) + c_i p_i (log p_i + H_i)
 *
 * for the factors g_i of log p_i[target_i] and -c_i of H_i. Small vocabularies: by rows of one-hot and probabilities.
 * Large ones hold as few rows as long as the vocabulary as they can: cross entropy gives log p_target and b = p - onehot
 * in one pass, and since b sums to nothing,
 *
 *   H_i = -log p_i[target_i] - sum_v b_iv logits_iv
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
  const [surprise, b] = o.sparseCrossEntropy(logits, targets);
  return {
    chosen: negative(surprise),
    entropy: o.sub(surprise, o.sum(o.mul(b, logits), [1])),
    gradient: (g, c) => {
      const policy = o.mul(column(negative(g)), b);
      if (c === null) return policy;
      // log p + H is the logit less its mean under p.
      const p = o.softmax(logits);
      const mean = o.sum(o.mul(p, logits), [1], true);
      return o.add(policy, o.mul(column(c), o.mul(p, o.sub(logits, mean))));
    },
  };
}
