/** One piece of work of the policy with a grammar, small enough for any backend: samples, and a step with every addition of the loss. */
import path from 'node:path';
import { loadCheckpoint } from '../../src/learner/checkpoint.js';
import type { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import type { LearnConfig, LearnRow, SampleRequest } from '../../src/policy/port.js';
import { tinySpec } from '../../src/policy/tiny/spec.js';
import { warmUpRows, type WarmUpMix } from '../../src/policy/tiny/warm-up.js';
import { Random } from '../../src/random.js';

export interface TinyWork {
  readonly tokens: readonly (readonly number[])[];
  readonly logProbs: readonly (readonly number[])[];
  readonly statistics: Readonly<
    Record<'loss' | 'gradNorm' | 'entropy' | 'approxKl' | 'clipFraction', number>
  >;
  /** First moments after the step: gradients, but for the clip. */
  readonly first: Readonly<Record<string, readonly number[]>>;
}

/** Warm-up rows of every role, kind and length, most of them with thoughts. */
export const WARM_UP_MIX = {
  proposeShare: 0.4,
  proposeLengths: [1, 1, 1],
  solveLengths: [1, 1, 1],
  thinkShares: [0.7, 0.7, 0.7],
  kinds: [1, 1, 1],
  maxReferences: 2,
  directLengths: null,
  inductionTargets: 'drawn',
} as const satisfies WarmUpMix;

/** A step with every addition of the loss. */
export const EVERY_ADDITION: LearnConfig = {
  learningRate: 1e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.01,
  dualClip: 1.5,
  klCoefficient: 0.1,
  minibatches: 1,
  microbatchRows: 4,
  aggregation: 'token',
  shuffleSeed: 5,
};

/** @param folder for checkpoints. */
export async function tinyWork(engine: TensorflowEngine, folder: string): Promise<TinyWork> {
  const spec = tinySpec({ layers: 2, width: 16, heads: 2, hidden: 24, context: 96 });
  const start = await engine.initialise(spec, 7, path.join(folder, 'start'));
  const reference = await engine.initialise(spec, 8, path.join(folder, 'reference'));
  const requests = warmUpRows(99, 6, WARM_UP_MIX).flatMap((row, i) =>
    Array.from({ length: 1 + (i % 3) }, (_, k): SampleRequest => ({
      id: `${i}.${k}`,
      prompt: row.prompt,
      seed: 1000 * i + k,
      temperature: i === 0 ? 0 : 1,
      maxTokens: 12,
      grammar: row.group,
      ...(i % 2 === 0 ? {} : { topK: 20, topP: 0.95 }),
    })),
  );
  const samples = await engine.sample(start, requests);
  const random = new Random(3);
  const rows = samples.map(({ id, tokens, logProbs }, i): LearnRow => {
    const { prompt, grammar = '' } = requests[i] as SampleRequest;
    const moved = logProbs.map((logProb) => logProb + 0.8 * (random.uniform() - 0.5));
    const advantage = 2 * random.uniform() - 1;
    return { id, group: grammar, grammar, prompt, completion: tokens, logProbs: moved, advantage };
  });
  const { checkpoint, statistics } = await engine.learn(
    start,
    rows,
    EVERY_ADDITION,
    path.join(folder, 'child'),
    {
      reference,
    },
  );
  const { loss, gradNorm, entropy, approxKl, clipFraction } = statistics;
  const { first } = await loadCheckpoint(checkpoint);
  return {
    tokens: samples.map(({ tokens }) => tokens),
    logProbs: samples.map(({ logProbs }) => logProbs),
    statistics: { loss, gradNorm, entropy, approxKl, clipFraction },
    first: Object.fromEntries([...first].map(([name, { data }]) => [name, [...data]])),
  };
}
