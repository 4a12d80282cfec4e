/**
 * What PyTorch and Transformers said of the small models under tests/golden/hugging-face: expected.json beside each, written
 * by scripts/fixtures/hugging-face.py, and the step that it was taken by.
 */
import type { LearnConfig } from '../../src/policy/port.js';

/** Flat row-major places of a tensor, and what stands there. */
export interface Summary {
  readonly shape: readonly number[];
  readonly norm: number;
  readonly at: readonly number[];
  readonly values: readonly number[];
}
export type Summaries = Readonly<Record<string, Summary>>;

export interface After {
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  readonly parameters: Summaries;
}

export interface ExpectedSteps {
  readonly sequences: readonly { ids: number[]; logits: number[][]; logprobs: number[] }[];
  readonly policy: {
    readonly clipLow: number;
    readonly clipHigh: number;
    readonly entropyCoefficient: number;
    readonly rows: readonly object[];
    readonly loss: number;
    readonly tokens: number;
    readonly gradNorm: number;
    readonly gradients: Summaries;
  };
  readonly adamW: {
    readonly learningRate: number;
    readonly betas: [number, number];
    readonly epsilon: number;
    readonly weightDecay: number;
    readonly maxGradNorm: number;
    readonly after1: After;
    readonly after10: After;
  };
}

export function configOfSteps({ policy, adamW }: ExpectedSteps): LearnConfig {
  return {
    learningRate: adamW.learningRate,
    betas: adamW.betas,
    epsilon: adamW.epsilon,
    weightDecay: adamW.weightDecay,
    maxGradNorm: adamW.maxGradNorm,
    clipLow: policy.clipLow,
    clipHigh: policy.clipHigh,
    entropyCoefficient: policy.entropyCoefficient,
    minibatches: 1,
    microbatchRows: 8,
    aggregation: 'token',
    shuffleSeed: 0,
  };
}
