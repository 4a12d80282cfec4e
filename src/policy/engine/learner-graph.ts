/**
 * One microbatch of the policy loss and its gradients, added to what earlier microbatches gave; and the optimiser's step.
 *
 * Per completion token i with weight w_i (loss-weights.ts), advantage A, ratio
 * r_i = exp(log p_i - log p_old_i) (PPO; Schulman et al. 2017), entropy H_i over the tokens that the grammar allows:
 *
 *   loss = sum_i w_i max(-A r_i, -A clip(r_i, 1 - low, 1 + high)) - c sum_i w_i H_i
 *
 * Its gradient with respect to the logits is written down rather than derived by the tape:
 *
 *   d/dlogits_i = g_i (onehot_i - p_i) + c w_i p_i (log p_i + H_i),   g_i = -w_i A r_i, or 0 where the clipped term is taken
 *
 * Likelihood rows (the warm-up) are the same with r = 1 and A = 1.
 *
 * Two additions, each a graph of its own that is built only where it is asked for:
 *
 *   dual clip (Ye et al. 2020, arXiv 1912.09729): where A < 0 the loss is at most -A c, c > 1, so that one
 *   token whose ratio ran away cannot carry the step; its g_i is 0 beyond.
 *
 *   divergence from a reference policy q (Schulman 2020, the estimator k3; in GRPO's loss, arXiv 2402.03300):
 *   + k sum_i w_i (exp(d_i) - d_i - 1), d_i = log q_i - log p_i, which adds k w_i (1 - exp(d_i)) to g_i.
 *
 * Deviation from the published trainer: neither d nor the estimate is clamped; a step that overflows is refused.
 */
import type { Compute, ModelSpec } from '../port.js';
import { Tape } from './differentiable.js';
import { grammarGraph } from './grammar-graph.js';
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program, TensorData } from './native.js';
import { Operations } from './operations.js';
import { trainedShapes } from './lora.js';
import { Products } from './products.js';
import { targetTerms } from './target-terms.js';
import { logitsOf, parameterPlaceholders, sequenceForward } from './transformer.js';

/** What one microbatch adds: sums over its tokens. */
export interface MicrobatchSums {
  /** Weighted, entropy bonus included: the part of the minibatch's loss. */
  readonly loss: number;
  readonly approxKl: number;
  /** Tokens whose clipped term is taken. */
  readonly clipped: number;
  /** By token, [n] each: entropy; the unweighted policy loss without bonus; log-probability. */
  readonly entropy: Float32Array;
  readonly tokenLoss: Float32Array;
  readonly logProbs: Float32Array;
  /** [n]: k3 estimates; absent without a reference policy. */
  readonly referenceKl?: Float32Array;
}

/** What a gradient's graph has beside the plain loss: each set has a graph of its own. */
export interface GradientVariant {
  readonly dualClip: boolean;
  readonly reference: boolean;
  /** Whether the entropy's coefficient may be other than 0. */
  readonly entropy: boolean;
  /** Whether activations are computed again rather than kept: no addition, but another graph. */
  readonly recompute: boolean;
  /** The type of matrix products (products.ts). */
  readonly compute: Compute;
  /** Adds to the gradients of earlier microbatches. The first has none: a pass over all of them less. */
  readonly accumulates: boolean;
}

export const PLAIN_VARIANT: GradientVariant = {
  dualClip: false,
  reference: false,
  entropy: true,
  recompute: false,
  compute: 'float32',
  accumulates: false,
};

export interface MicrobatchTensors {
  /** [b, s]: rows without their last token, which is a target only */
  readonly tokens: NativeTensor;
  /** [n]: where in the flattened [b * s] the token before each completion token stands. */
  readonly positions: NativeTensor;
  /** [b * s]: the other way round; n where no completion token follows. */
  readonly inverse: NativeTensor;
  /** [n] each */
  readonly targets: NativeTensor;
  readonly states: NativeTensor;
  readonly oldLogProbs: NativeTensor;
  readonly advantages: NativeTensor;
  readonly weights: NativeTensor;
  /**
   * [4]: clip low, clip high, entropy coefficient, 1 for ratios or 0 for likelihood; [6] where the loss has additions:
   * dual clip and the reference's coefficient too
   */
  readonly settings: NativeTensor;
  /** [n]: log-probabilities under the reference policy; needed by the variant that has one. */
  readonly referenceLogProbs?: NativeTensor;
}

export class GradientProgram {
  readonly #program: Program;
  readonly #variant: GradientVariant;
  readonly #trained: number;

  constructor(native: Native, spec: ModelSpec, variant: GradientVariant = PLAIN_VARIANT) {
    this.#variant = variant;
    const graph = new Graph();
    const o = new Operations(graph);
    const tape = new Tape(o, new Products(o, variant.compute));
    const parameters = parameterPlaceholders(graph, spec);
    const names = trainedShapes(spec).map(({ name }) => name);
    this.#trained = names.length;
    const earlier = variant.accumulates ? names.map(() => graph.placeholder('float')) : [];
    const [tokens, positions, inverse, targets, states] = Array.from({ length: 5 }, () =>
      graph.placeholder('int'),
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const [old, advantages, weights, settings] = Array.from({ length: 4 }, () =>
      graph.placeholder('float'),
    ) as [Tensor, Tensor, Tensor, Tensor];

    const { hidden } = sequenceForward(o, tape, spec, parameters, tokens, { recompute: variant.recompute });
    // [n, vocabulary]
    const logits = logitsOf(tape, spec, parameters, tape.pick(hidden, positions, inverse, spec.width));
    const terms = targetTerms(o, spec, grammarGraph(o, spec).mask(logits, states), targets);
    const { chosen, entropy } = terms;
    const zero = graph.scalar(0);
    const one = graph.scalar(1);
    const [low, high, coefficient, useRatio] = [0, 1, 2, 3].map((i) => o.entry(settings, i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const logRatio = o.mul(o.sub(chosen, old), useRatio);
    const ratio = o.exp(logRatio);
    const clippedRatio = o.minimum(o.maximum(ratio, o.sub(one, low)), o.add(one, high));
    const plain = o.mul(advantages, ratio);
    const clipped = o.mul(advantages, clippedRatio);
    // max(-plain, -clipped): the clipped term is taken where it is the larger loss.
    const takesClipped = o.and(o.less(clipped, plain), o.greater(useRatio, graph.scalar(0.5)));
    let surrogate = o.select(takesClipped, clipped, plain);
    let isFlat = takesClipped;
    if (variant.dualClip) {
      const bound = o.mul(advantages, o.entry(settings, 4));
      const beyond = o.and(o.less(advantages, zero), o.less(surrogate, bound));
      surrogate = o.select(beyond, bound, surrogate);
      isFlat = o.or(takesClipped, beyond);
    }
    const tokenLoss = o.sub(zero, surrogate);
    let g = o.mul(weights, o.select(isFlat, zero, o.sub(zero, plain)));
    const held = variant.reference ? this.#heldToReference(o, chosen, weights, settings) : undefined;
    if (held !== undefined) g = o.add(g, held.g);
    const gradient = terms.gradient(g, variant.entropy ? o.mul(weights, coefficient) : null);

    const gradients = tape.gradients(
      logits,
      gradient,
      names.map((name) => parameters.get(name) as Tensor),
    );
    const loss = o.sum(o.mul(weights, o.sub(tokenLoss, o.mul(coefficient, entropy))), [0]);
    const sums = o.stackVector([
      held === undefined ? loss : o.add(loss, held.loss),
      o.sum(o.sub(o.sub(ratio, one), logRatio), [0]),
      o.sum(o.cast(isFlat, 'float'), [0]),
    ]);
    this.#program = native.compile(
      graph,
      [
        ...parameters.values(),
        ...earlier,
        ...[tokens, positions, inverse, targets, states],
        ...[old, advantages, weights, settings],
        ...(held === undefined ? [] : [held.logProbs]),
      ],
      [
        ...(variant.accumulates
          ? gradients.map((tensor, i) => o.add(tensor, earlier[i] as Tensor))
          : gradients),
        sums,
        entropy,
        tokenLoss,
        chosen,
        ...(held === undefined ? [] : [held.estimate]),
      ],
    );
  }

  /** The divergence from the reference policy: its placeholder, k3 by token, its part of the loss and of g. */
  #heldToReference(
    o: Operations,
    chosen: Tensor,
    weights: Tensor,
    settings: Tensor,
  ): { logProbs: Tensor; estimate: Tensor; loss: Tensor; g: Tensor } {
    const one = o.graph.scalar(1);
    const logProbs = o.graph.placeholder('float');
    const d = o.sub(logProbs, chosen);
    const excess = o.sub(o.exp(d), one);
    const estimate = o.sub(excess, d);
    const weight = o.mul(weights, o.entry(settings, 5));
    return {
      logProbs,
      estimate,
      loss: o.sum(o.mul(weight, estimate), [0]),
      g: o.sub(o.graph.scalar(0), o.mul(weight, excess)),
    };
  }

  /**
   * @param parameters all of the model's, frozen ones first.
   * @param earlier of the trained ones, where the variant accumulates: gradients to add to; else none.
   * @returns the sum of `earlier` and this microbatch's gradients, which the caller deletes, and its sums.
   */
  async run(
    native: Native,
    parameters: readonly NativeTensor[],
    batch: MicrobatchTensors,
    earlier: readonly NativeTensor[] = [],
  ): Promise<{ gradients: NativeTensor[]; sums: MicrobatchSums }> {
    const { referenceLogProbs } = batch;
    if (this.#variant.reference !== (referenceLogProbs !== undefined))
      throw new TypeError(
        `referenceLogProbs ${referenceLogProbs === undefined ? 'are missing; this loss has' : 'are given; this loss has no'} reference policy`,
      );
    if (earlier.length !== (this.#variant.accumulates ? this.#trained : 0))
      throw new TypeError(
        `earlier has ${earlier.length} gradients; this graph takes ${this.#variant.accumulates ? this.#trained : 0}`,
      );
    const outputs = this.#program.run([
      ...parameters,
      ...earlier,
      ...[batch.tokens, batch.positions, batch.inverse, batch.targets, batch.states],
      ...[batch.oldLogProbs, batch.advantages, batch.weights, batch.settings],
      ...(referenceLogProbs === undefined ? [] : [referenceLogProbs]),
    ]);
    const rest = outputs.splice(this.#trained);
    const [sums, entropy, tokenLoss, logProbs, referenceKl] = (await readAll(native, rest, outputs)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array?,
    ];
    const [loss = 0, approxKl = 0, clipped = 0] = sums;
    const all = { loss, approxKl, clipped, entropy, tokenLoss, logProbs };
    return { gradients: outputs, sums: referenceKl === undefined ? all : { ...all, referenceKl } };
  }

  dispose(): void {
    this.#program.dispose();
  }
}

/** Values of `tensors`, which are deleted; `beside` too, where reading fails. */
async function readAll(
  native: Native,
  tensors: readonly NativeTensor[],
  beside: readonly NativeTensor[],
): Promise<TensorData[]> {
  try {
    return await Promise.all(tensors.map((tensor) => native.read(tensor)));
  } catch (error) {
    native.delete(...beside);
    throw error;
  } finally {
    native.delete(...tensors);
  }
}
