/**
 * Optimiser steps over minibatches: gradients microbatch by microbatch, added up inside TensorFlow, then one update.
 *
 * Microbatches change nothing but the order of summation: every token's loss weight is the minibatch's, and gradients are
 * summed, not averaged.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Compute, LearnConfig, LearnRow, ModelSpec } from '../port.js';
import { ONE_HOT_ROWS } from './differentiable.js';
import { GradientProgram, type GradientVariant, type MicrobatchSums } from './learner-graph.js';
import { lossWeights } from './loss-weights.js';
import { inputLength, lossTokens, microbatchTensors, planMicrobatches } from './microbatch.js';
import { tensorsOf, weightsOf, type ModelTensors } from './model.js';
import { Scope, type Native, type NativeTensor } from './native.js';
import { ScoreProgram } from './score-graph.js';
import { requireStepMemory, type MicrobatchSize } from './step-memory.js';
import type { StepTotals } from './statistics.js';
import { Update } from './update.js';

export interface StepOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each microbatch, when `totals` counts its rows. */
  readonly onRows?: () => void;
  /** All parameters of the policy that `config.klCoefficient` holds this one to; given with it only. */
  readonly reference?: readonly NativeTensor[] | undefined;
  /**
   * The tensors of `model` are the step's: a large model's successor is written into them, so that no second one is in
   * memory, and all are gone when the step fails. Default: they remain the caller's, as they are.
   */
  readonly consume?: boolean;
}

export class Learner {
  readonly #native: Native;
  readonly #spec: ModelSpec;
  /** By variant of the loss, built when first asked for. */
  readonly #gradients = new Map<string, GradientProgram>();
  /** By type of matrix products. */
  readonly #scores = new Map<Compute, ScoreProgram>();
  readonly #update: Update;

  constructor(native: Native, spec: ModelSpec) {
    this.#native = native;
    this.#spec = spec;
    this.#update = new Update(native, spec);
  }

  /**
   * One optimiser step.
   * @param kind `policy`: the clipped policy loss; `likelihood`: rows' log-probabilities and advantages are not looked at.
   * @param step number of this step, from 1: the moments' bias correction.
   * @returns new tensors.
   * @throws MemoryNeededError where the machine cannot hold a microbatch, before the first.
   * @throws RangeError when the gradient is not finite: the step is not taken; or where `config.compute` is not to be had.
   */
  async step(
    model: ModelTensors,
    rows: readonly LearnRow[],
    config: LearnConfig,
    kind: 'policy' | 'likelihood',
    step: number,
    totals: StepTotals,
    { signal, onRows, reference, consume = false }: StepOptions = {},
  ): Promise<ModelTensors> {
    const native = this.#native;
    native.requireCompute(config.compute ?? 'float32');
    using scope = new Scope(native);
    if (consume) scope.hold(tensorsOf(model));
    const variant: GradientVariant = {
      dualClip: kind === 'policy' && config.dualClip !== undefined,
      reference: kind === 'policy' && reference !== undefined,
      // A small vocabulary's entropy costs nothing: one graph serves both.
      entropy: this.#spec.vocabulary <= ONE_HOT_ROWS || config.entropyCoefficient !== 0,
      recompute: config.recompute === true,
      compute: config.compute ?? 'float32',
      accumulates: false,
    };
    const values = lossSettings(config, kind, variant);
    const [settings] = scope.hold([native.create(values, [values.length])] as const);
    const weightOf = lossWeights(rows, config.aggregation);
    let gradients: NativeTensor[] | undefined;
    let loss = 0;
    let approxKl = 0;
    const microbatches = planMicrobatches(rows.map(inputLength), config.microbatchRows);
    // What a device's memory cannot hold, the device says.
    for (const size of native.inHostMemory
      ? microbatches.map((indices) => sizeOfMicrobatch(rows, indices))
      : [])
      requireStepMemory(this.#spec, size, variant.recompute);
    for (const indices of microbatches) {
      signal?.throwIfAborted();
      const part = indices.map((index) => {
        const row = rows[index] as LearnRow;
        return kind === 'policy' ? row : { ...row, advantage: 1 };
      });
      let batch = microbatchTensors(native, this.#spec, part, part.map(weightOf), settings);
      const { settings: _shared, ...own } = batch;
      const inputs = scope.hold(Object.values(own));
      if (variant.reference && reference !== undefined) {
        const [referenceLogProbs] = scope.hold([
          this.#scoreProgram(variant.compute).run(reference, batch),
        ] as const);
        inputs.push(referenceLogProbs);
        batch = { ...batch, referenceLogProbs };
      }
      const program = this.#gradientOf({ ...variant, accumulates: gradients !== undefined });
      const result = await program.run(native, weightsOf(model), batch, gradients);
      scope.hold(result.gradients);
      scope.delete(inputs);
      if (gradients !== undefined) scope.delete(gradients);
      gradients = result.gradients;
      loss += result.sums.loss;
      approxKl += result.sums.approxKl;
      addTokens(totals, part, result.sums);
      onRows?.();
      // Lets a cancellation in.
      await nextTurn();
    }
    if (gradients === undefined) throw new Error('rows is empty: there is no gradient');
    const gradNorm = await this.#update.norm(gradients);
    // A clipped ratio may overflow without a trace in loss and gradient: such a row was not sampled from this policy.
    if (![gradNorm, loss, approxKl].every(Number.isFinite))
      throw new RangeError(
        `optimiser step ${step}: loss is ${loss}, gradient norm is ${gradNorm}, the sum of (ratio - 1) - log ratio is ${approxKl}; accepted are finite numbers. The step is not taken.`,
      );
    const next = this.#update.run(model, gradients, gradNorm, config, step, {
      gradients: (tensors) => scope.delete(tensors),
      ...(consume ? { model: (tensors) => scope.delete(tensors) } : {}),
    });
    totals.steps += 1;
    totals.loss += loss;
    totals.gradNorm += gradNorm;
    return next;
  }

  #gradientOf(variant: GradientVariant): GradientProgram {
    const key = JSON.stringify(Object.entries(variant));
    let program = this.#gradients.get(key);
    if (program === undefined)
      this.#gradients.set(key, (program = new GradientProgram(this.#native, this.#spec, variant)));
    return program;
  }

  #scoreProgram(compute: Compute): ScoreProgram {
    let program = this.#scores.get(compute);
    if (program === undefined)
      this.#scores.set(compute, (program = new ScoreProgram(this.#native, this.#spec, compute)));
    return program;
  }

  dispose(): void {
    for (const program of this.#gradients.values()) program.dispose();
    for (const program of this.#scores.values()) program.dispose();
    this.#update.dispose();
  }
}

function sizeOfMicrobatch(rows: readonly LearnRow[], indices: readonly number[]): MicrobatchSize {
  const part = indices.map((index) => rows[index] as LearnRow);
  return {
    rows: part.length,
    length: Math.max(...part.map(inputLength)),
    targets: part.reduce((sum, row) => sum + lossTokens(row), 0),
  };
}

/** The vector `settings` of learner-graph.ts. */
function lossSettings(
  config: LearnConfig,
  kind: 'policy' | 'likelihood',
  { dualClip, reference }: GradientVariant,
): Float32Array {
  const plain = [config.clipLow, config.clipHigh, config.entropyCoefficient, kind === 'policy' ? 1 : 0];
  return Float32Array.from(
    dualClip || reference ? [...plain, config.dualClip ?? 0, config.klCoefficient ?? 0] : plain,
  );
}

function addTokens(totals: StepTotals, rows: readonly LearnRow[], sums: MicrobatchSums): void {
  totals.approxKl += sums.approxKl;
  totals.clipped += sums.clipped;
  let at = 0;
  for (const row of rows) {
    const group = (totals.groups[row.group] ??= { rows: 0, tokens: 0, entropy: 0, loss: 0 });
    const n = lossTokens(row);
    group.rows += 1;
    group.tokens += n;
    totals.rows += 1;
    totals.tokens += n;
    for (let i = 0; i < n; i++, at++) {
      group.entropy += sums.entropy[at] ?? 0;
      group.loss += sums.tokenLoss[at] ?? 0;
      if (sums.referenceKl !== undefined)
        group.referenceKl = (group.referenceKl ?? 0) + (sums.referenceKl[at] ?? 0);
      totals.negativeLogLikelihood -= sums.logProbs[at] ?? 0;
    }
  }
}
