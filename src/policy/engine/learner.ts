/**
 * Optimiser steps over minibatches: gradients microbatch by microbatch, added up inside TensorFlow, then one update.
 *
 * Microbatches change nothing but the order of summation: every token's loss weight is the minibatch's, and gradients are
 * summed, not averaged.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LearnConfig, LearnRow, ModelSpec } from '../port.js';
import { sizeOf } from '../shape.js';
import { ONE_HOT_ROWS } from './differentiable.js';
import { GradientProgram, UpdateProgram, type LossVariant, type MicrobatchSums } from './learner-graph.js';
import { inputLength, microbatchTensors, planMicrobatches } from './microbatch.js';
import type { ModelTensors } from './model.js';
import { Scope, type Native, type NativeTensor } from './native.js';
import { parameterShapes } from './parameters.js';
import { ScoreProgram } from './score-graph.js';
import type { StepTotals } from './statistics.js';

export class Learner {
  readonly #native: Native;
  readonly #spec: ModelSpec;
  /** By variant of the loss, built when first asked for. */
  readonly #gradients = new Map<string, GradientProgram>();
  #score: ScoreProgram | undefined;
  readonly #update: UpdateProgram;

  constructor(native: Native, spec: ModelSpec) {
    this.#native = native;
    this.#spec = spec;
    this.#update = new UpdateProgram(native, spec);
  }

  /**
   * One optimiser step.
   * @param kind `policy`: the clipped policy loss; `likelihood`: rows' log-probabilities and advantages are not looked at.
   * @param step number of this step, from 1: the moments' bias correction.
   * @param reference parameters of the policy that `config.klCoefficient` holds this one to; given with it only.
   * @param onRows called after each microbatch, when `totals` counts its rows.
   * @returns new tensors; those of `model` remain the caller's.
   * @throws RangeError when the gradient is not finite: the step is not taken.
   */
  async step(
    model: ModelTensors,
    rows: readonly LearnRow[],
    config: LearnConfig,
    kind: 'policy' | 'likelihood',
    step: number,
    totals: StepTotals,
    signal: AbortSignal | undefined,
    onRows?: () => void,
    reference?: readonly NativeTensor[],
  ): Promise<ModelTensors> {
    const native = this.#native;
    using scope = new Scope(native);
    const variant: LossVariant = {
      dualClip: kind === 'policy' && config.dualClip !== undefined,
      reference: kind === 'policy' && reference !== undefined,
      // A small vocabulary's entropy costs nothing: one graph serves both.
      entropy: this.#spec.vocabulary <= ONE_HOT_ROWS || config.entropyCoefficient !== 0,
    };
    const program = this.#gradientOf(variant);
    const values = lossSettings(config, kind, variant);
    const [settings] = scope.hold([native.create(values, [values.length])] as const);
    const tokens = rows.reduce((sum, row) => sum + row.completion.length, 0);
    const weightOf = (row: LearnRow): number =>
      config.aggregation === 'token' ? 1 / tokens : 1 / (rows.length * row.completion.length);
    let gradients = scope.hold(
      parameterShapes(this.#spec).map(({ shape }) => native.create(new Float32Array(sizeOf(shape)), shape)),
    );
    let loss = 0;
    for (const indices of planMicrobatches(rows.map(inputLength), config.microbatchRows)) {
      signal?.throwIfAborted();
      const part = indices.map((index) => {
        const row = rows[index] as LearnRow;
        return kind === 'policy' ? row : { ...row, advantage: 1 };
      });
      let batch = microbatchTensors(native, this.#spec, part, part.map(weightOf), settings);
      const { settings: _shared, ...own } = batch;
      const inputs = scope.hold(Object.values(own));
      if (variant.reference && reference !== undefined) {
        const [referenceLogProbs] = scope.hold([this.#scoreProgram().run(reference, batch)] as const);
        inputs.push(referenceLogProbs);
        batch = { ...batch, referenceLogProbs };
      }
      const result = program.run(native, model.parameters, gradients, batch);
      scope.hold(result.gradients);
      scope.delete(inputs);
      scope.delete(gradients);
      gradients = result.gradients;
      loss += result.sums.loss;
      addTokens(totals, part, result.sums);
      onRows?.();
      // Lets a cancellation in.
      await nextTurn();
    }
    const { gradNorm, ...next } = this.#update.run(native, model, gradients, config, step);
    scope.hold([...next.parameters, ...next.first, ...next.second]);
    if (!Number.isFinite(gradNorm) || !Number.isFinite(loss))
      throw new RangeError(
        `optimiser step ${step}: loss is ${loss}, gradient norm is ${gradNorm}; accepted are finite numbers. The step is not taken.`,
      );
    totals.steps += 1;
    totals.loss += loss;
    totals.gradNorm += gradNorm;
    scope.release([...next.parameters, ...next.first, ...next.second]);
    return next;
  }

  #gradientOf(variant: LossVariant): GradientProgram {
    const key = JSON.stringify([variant.dualClip, variant.reference, variant.entropy]);
    let program = this.#gradients.get(key);
    if (program === undefined)
      this.#gradients.set(key, (program = new GradientProgram(this.#native, this.#spec, variant)));
    return program;
  }

  #scoreProgram(): ScoreProgram {
    return (this.#score ??= new ScoreProgram(this.#native, this.#spec));
  }

  dispose(): void {
    for (const program of this.#gradients.values()) program.dispose();
    this.#score?.dispose();
    this.#update.dispose();
  }
}

/** The vector `settings` of learner-graph.ts. */
function lossSettings(
  config: LearnConfig,
  kind: 'policy' | 'likelihood',
  { dualClip, reference }: LossVariant,
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
    group.rows += 1;
    group.tokens += row.completion.length;
    totals.rows += 1;
    totals.tokens += row.completion.length;
    for (let i = 0; i < row.completion.length; i++, at++) {
      group.entropy += sums.entropy[at] ?? 0;
      group.loss += sums.tokenLoss[at] ?? 0;
      if (sums.referenceKl !== undefined)
        group.referenceKl = (group.referenceKl ?? 0) + (sums.referenceKl[at] ?? 0);
      totals.negativeLogLikelihood -= sums.logProbs[at] ?? 0;
    }
  }
}
