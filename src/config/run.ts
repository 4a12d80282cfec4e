/**
 * The configuration of a run: one typed object, complete in RunStarted, hashed, the same for every step and for replay.
 *
 * Names are the field's; where the published code has another name, its argument stands in the comment.
 */
import { z } from 'zod';

const share = z.number().min(0).max(1);
const count = z.number().int().min(1);

const model = z.strictObject({
  layers: count.max(64),
  width: count.max(8192),
  heads: count.max(128),
  /** Width of the feed-forward part's hidden layer. */
  hidden: count.max(65536),
  /** Longest prompt + completion, in tokens. */
  context: count.max(131072),
});

const optimiser = z.strictObject({
  learningRate: z.number().positive(),
  betas: z.tuple([share, share]).default([0.9, 0.999]),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.01),
  /** Global-norm gradient clip; 0 is none. */
  maxGradNorm: z.number().min(0).default(1),
});

export const runConfigSchema = z.strictObject({
  /** Root of every seed of the run; at most 2^52, which the log carries exactly. */
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 52)
    .default(1),
  policy: z.strictObject({
    /** `tiny`: from scratch over a small vocabulary, grammar-constrained. */
    kind: z.enum(['tiny']),
    model,
    /** Likelihood training on generated programs before self-play; `steps: 0` is none. */
    warmUp: z.strictObject({
      steps: z.number().int().min(0),
      rowsPerStep: count,
      proposeShare: share,
      proposeLengths: z.array(z.number().min(0)).length(3),
      solveLengths: z.array(z.number().min(0)).length(3),
      optimiser,
    }),
  }),
  propose: z.strictObject({
    /** Proposals of each kind an iteration (data.train_batch_size). */
    batch: count.max(4096),
    /** Tasks of the buffer shown to the proposer (azr io_n). */
    references: z.number().int().min(0).max(32).default(6),
    temperature: z.number().positive().default(1),
    /** `uniform` over the buffer, or `step`: weight = iteration + 1 (gen_data_probabilities_strategy). */
    referenceSampling: z.enum(['uniform', 'step']).default('uniform'),
  }),
  solve: z.strictObject({
    /** Tasks of each kind an iteration. */
    batch: count.max(4096),
    /** Attempts at each task; the published system has 1. */
    samplesPerTask: count.max(256).default(1),
    temperature: z.number().positive().default(1),
    /**
     * `max_new`: this step's tasks first, the rest uniform (pred_data_mix_strategy). `solve_rate` (not in the paper):
     * weight r(1-r) + 0.02 with r the task's running solve rate, 0.25 where unknown.
     */
    mixing: z.enum(['max_new', 'uniform_total', 'solve_rate']).default('max_new'),
  }),
  learnability: z.strictObject({
    /** Rollouts that estimate a proposal's solve rate (azr.reward.n_samples). */
    samples: count.max(256).default(8),
    /** Learn from these rollouts too; the published system discards them. */
    train: z.boolean().default(false),
  }),
  buffer: z.strictObject({
    /** Tasks of one kind kept; the oldest leave first (the published code drops the newest). */
    maxTasks: count.default(16384),
    /** Whole-task equality with a task of the buffer: `allow` (published) or `refuse`. */
    duplicates: z.enum(['allow', 'refuse']).default('allow'),
    /** Tasks of one kind with the same program; 0 is no bound. */
    maxTasksPerProgram: z.number().int().min(0).default(0),
  }),
  reward: z.strictObject({
    /** Paper, section 3.4: format errors. */
    formatError: z.number().default(-1),
    /** Well-formed and wrong (solver), or valid but trivial or unsolved (proposer). */
    wrong: z.number().default(-0.5),
    /** A valid proposal that the buffer refuses as a repeat; not in the paper. */
    repeat: z.number().default(-0.5),
    /** `one_minus`: 1 - a for a > 0, else 0. `inverse`: 1 - a (generation_accuracy_convertion). */
    learnability: z.enum(['one_minus', 'inverse']).default('one_minus'),
    /** Of the hidden pairs of an induction task (code_f_reward_type). */
    induction: z.enum(['binary', 'accuracy', 'if_one_correct']).default('binary'),
  }),
  learner: z.strictObject({
    optimiser,
    clipLow: share.default(0.2),
    clipHigh: z.number().min(0).default(0.2),
    entropyCoefficient: z.number().min(0).default(0.001),
    minibatches: count.default(1),
    microbatchRows: count.default(256),
    aggregation: z.enum(['token', 'sequence']).default('token'),
    /** Whether proposals are learned from (azr.train_propose). */
    trainPropose: z.boolean().default(true),
  }),
  evaluation: z.strictObject({
    /** Questions for each kind and bucket. */
    perBucket: count.max(10000),
    /** Every this many iterations, and at the start and the end (trainer.test_freq). */
    every: count,
  }),
  schedule: z.strictObject({
    iterations: count,
    /** Self-play ends after the iteration in which this time is up; null is no bound. */
    minutes: z.number().positive().nullable().default(null),
    /** Iterations after which the workflow's history starts anew. */
    continueAsNewEvery: count.default(10),
  }),
});

export type RunConfig = z.infer<typeof runConfigSchema>;
