/**
 * The configuration of a run: one typed object, complete in RunStarted, hashed, the same for every step and for replay.
 *
 * Names are the field's; where the published code has another name, its argument stands in the comment.
 */
import { z } from 'zod';
import { KEEP_POLICIES } from '../buffer/keep.js';
import { SOLVER_MIXINGS } from '../buffer/sampling.js';
import { VALID_PROGRAM_FILTERS } from '../buffer/valid-program-filter.js';
import { ADVANTAGES } from '../learner/advantages/names.js';
import { AGGREGATIONS } from '../learner/aggregations.js';
import { COMPUTES } from '../policy/port.js';
import { MAX_OPERATIONS, MOST_OPERATIONS } from '../policy/tiny/operations.js';
import { COMBINE_METHODS } from '../reward/combine.js';
import { DIVERSITY_RULES } from '../reward/intrinsic/answer-diversity.js';
import { BANNABLE_KEYWORDS, POLICY_NAMES } from '../sandbox/policy.js';
import { mayCompose, mostFunctions } from '../tasks/composite.js';
import { PAPER_KINDS, TASK_KINDS } from '../tasks/types.js';
import { optimiserSchema } from './optimiser.js';
import { lengthWeights, policySchema } from './policy.js';

const share = z.number().min(0).max(1);
const count = z.number().int().min(1);

const uniformLengths = lengthWeights.refine(
  (weights) => weights.some((weight) => weight > 0),
  'at least one weight must be above 0',
);

const batchByKind = z.partialRecord(z.enum(TASK_KINDS), count.max(4096)).default({});

/** Off, as in every published preset; 0.5 is the published default of max. */
const intrinsicTerm = z.strictObject({
  enabled: z.boolean().default(false),
  /** Factor of the raw measure (coef). */
  coefficient: z.number().default(0),
  /** Upper bound of coefficient * raw (max). */
  cap: z.number().default(0.5),
});

/** `flat` over values, or `hierarchical`: type first, then value (answer_diversity_reward.hierarchical). */
const diversityTerm = intrinsicTerm.extend({ rule: z.enum(DIVERSITY_RULES).default('flat') });

/** Composite programs (tasks/composite.ts); off. */
const composite = z
  .strictObject({
    /** Probability that a prompt gives functions; 0 is never (azr.data_selection_strategy.composite_chance). */
    chance: share.default(0),
    /** Functions given (composite_function_n_min, composite_function_n_max); more references are needed than the most. */
    minFunctions: count.max(16).default(1),
    maxFunctions: count.max(16).default(1),
    /** First iteration in which functions are given (composite_start_step). */
    startIteration: count.default(1),
    /** At iteration `start`, and every `every` iterations after it, chance and most functions rise, up to their limits. */
    schedule: z
      .strictObject({
        enabled: z.boolean().default(false),
        start: count.default(101),
        every: count.default(50),
        functionsStep: z.number().int().min(0).default(1),
        functionsLimit: count.max(16).default(3),
        chanceStep: share.default(0.01),
        chanceLimit: share.default(0.8),
      })
      .prefault({}),
  })
  .refine(({ minFunctions, maxFunctions }) => minFunctions <= maxFunctions, {
    path: ['minFunctions'],
    message: 'accepted are numbers up to maxFunctions',
  })
  .prefault({});

const fields = z.strictObject({
  /** Root of every seed of the run; at most 2^52, which the log carries exactly. */
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 52)
    .default(1),
  policy: policySchema,
  propose: z.strictObject({
    /**
     * Kinds of task that are proposed and solved (azr.problem_types), in whatever order. `error`, which the paper leaves
     * out and the published code cannot train, has to be named.
     */
    kinds: z
      .array(z.enum(TASK_KINDS))
      .min(1)
      .refine((kinds) => new Set(kinds).size === kinds.length, 'a kind stands in it twice')
      .refine(
        (kinds) => !kinds.includes('induction') || kinds.includes('deduction') || kinds.includes('abduction'),
        'induction takes its programs from deduction or abduction: one of them is needed too',
      )
      .default([...PAPER_KINDS]),
    /** Proposals of each kind an iteration (data.train_batch_size). */
    batch: count.max(4096),
    /** The same of single kinds, in place of `batch`; not in the paper. */
    batchByKind,
    /** Tasks of the buffer shown to the proposer (azr io_n). */
    references: z.number().int().min(0).max(32).default(6),
    temperature: z.number().positive().default(1),
    /** `uniform` over the buffer, or `step`: weight = iteration + 1 (gen_data_probabilities_strategy). */
    referenceSampling: z.enum(['uniform', 'step']).default('uniform'),
    /**
     * `policy`: self-play. `uniform` (not in the paper; the tiny policy only): nothing is proposed, and the solver tries
     * `solve.batch` fresh tasks of each kind an iteration, drawn from the tiny domain whatever the buffer's rules.
     */
    source: z.enum(['policy', 'uniform']).default('policy'),
    /** `source: uniform`: weights of program lengths from 1; within a length programs are uniform. */
    uniformLengths: uniformLengths.default([1, 1, 1]),
    composite,
    /** Keywords that a program of an error task may not have (banned_keywords_for_errors_and_exceptions); `[raise]` as published. */
    bannedErrorKeywords: z.array(z.enum(BANNABLE_KEYWORDS)).default([]),
  }),
  solve: z.strictObject({
    /** Tasks of each kind an iteration. */
    batch: count.max(4096),
    /** The same of single kinds, in place of `batch`; not in the paper. */
    batchByKind,
    /** Attempts at each task; the published system has 1. */
    samplesPerTask: count.max(256).default(1),
    temperature: z.number().positive().default(1),
    /**
     * `max_new`: the newest tasks first, the rest uniform; `half_new`: at most half of them new; `uniform_total`; `step`:
     * weight = iteration (pred_data_mix_strategy). `solve_rate` (not in the paper): weight r(1-r) + 0.02 with r the
     * task's running solve rate, 0.25 where unknown. See buffer/sampling.ts.
     */
    mixing: z.enum(SOLVER_MIXINGS).default('max_new'),
  }),
  sandbox: z
    .strictObject({
      /**
       * What is refused before it runs: `strict` (ours) or `published` (the published lists, dotted entries that do match).
       */
      policy: z.enum(POLICY_NAMES).default('strict'),
    })
    .prefault({}),
  learnability: z.strictObject({
    /** Rollouts that estimate a proposal's solve rate (azr.reward.n_samples). */
    samples: count.max(256).default(8),
    /** Learn from these rollouts too; the published system discards them. */
    train: z.boolean().default(false),
  }),
  buffer: z.strictObject({
    /** Tasks of one kind kept. */
    maxTasks: count.default(16384),
    /** Which are kept of more: the `newest`, the `oldest` (published), or a `reservoir`: a uniform sample of all. */
    keep: z.enum(KEEP_POLICIES).default('newest'),
    /** Whole-task equality with a task of the buffer: `allow` (published) or `refuse`. */
    duplicates: z.enum(['allow', 'refuse']).default('allow'),
    /** Tasks of one kind with the same program; 0 is no bound. */
    maxTasksPerProgram: z.number().int().min(0).default(0),
  }),
  reward: z.strictObject({
    /** Of the paper's composite reward: malformed. */
    formatError: z.number().default(-1),
    /** Well-formed and wrong (solver), or valid but trivial or unsolved (proposer). */
    wrong: z.number().default(-0.5),
    /** A valid proposal that the buffer refuses as a repeat; not in the paper. */
    repeat: z.number().default(-0.5),
    /** `one_minus`: 1 - a for a > 0, else 0. `inverse`: 1 - a (generation_accuracy_convertion). */
    learnability: z.enum(['one_minus', 'inverse']).default('one_minus'),
    /**
     * Valid tasks that stay in the buffer once their rollouts gave a mean accuracy a: `all`, `non_one` (a < 1),
     * `non_extremes` (0 < a < 1) (valid_program_filter). Rewards do not look at it.
     */
    validProgramFilter: z.enum(VALID_PROGRAM_FILTERS).default('all'),
    /** Of the hidden pairs of an induction task (code_f_reward_type). */
    induction: z.enum(['binary', 'accuracy', 'if_one_correct']).default('binary'),
    /**
     * Terms that join the learnability of a valid proposal that is neither trivial nor unsolved, each
     * min(coefficient * raw, cap); see reward/intrinsic. The first four are for all kinds but induction, which has the
     * last two. A measure is taken only where its term is enabled.
     */
    intrinsic: z
      .strictObject({
        /** Cognitive complexity / 15 (complexity_reward). */
        complexity: intrinsicTerm.prefault({}),
        /** Mean distance of syntax trees from the references (mean_edit_distance_reward). */
        mean_edit_distance: intrinsicTerm.prefault({}),
        /** Halstead effort and volume, cyclomatic complexity (halstead_reward). */
        halstead: intrinsicTerm.prefault({}),
        /** How rare the answer is among those of accepted tasks (answer_diversity_reward). */
        answer_diversity: diversityTerm.prefault({}),
        /** Mean over an induction task's inputs (f_input_answer_diversity_reward). */
        f_input_answer_diversity: diversityTerm.prefault({}),
        /** Mean over an induction task's outputs (f_output_answer_diversity_reward). */
        f_output_answer_diversity: diversityTerm.prefault({}),
      })
      .prefault({}),
    /** How intrinsic terms join learnability; see reward/combine.ts (intrinsic_combine_method). */
    combine: z.enum(COMBINE_METHODS).default('sum'),
  }),
  learner: z.strictObject({
    optimiser: optimiserSchema,
    /**
     * Where it is given, the rate goes in a straight line from optimiser.learningRate in the first iteration to this one in the
     * last of schedule.iterations (not in the paper, whose rate is constant). See learner/learning-rate.ts.
     */
    finalLearningRate: z.number().min(0).optional(),
    clipLow: share.default(0.2),
    clipHigh: z.number().min(0).default(0.2),
    /** With a negative advantage the loss goes no further than that of this ratio (clip_ratio_c); null is off. */
    dualClip: z.number().gt(1).nullable().default(null),
    entropyCoefficient: z.number().min(0).default(0.001),
    /** Factor of the divergence from the run's policy version 0 (kl_loss_coef, low_var_kl); 0 is none, as published. */
    klCoefficient: z.number().min(0).default(0),
    minibatches: count.default(1),
    microbatchRows: count.default(256),
    /** In which type matrix products are taken; weights, moments and checkpoints are float32 (policy/engine/products.ts). */
    compute: z.enum(COMPUTES).default('float32'),
    /**
     * Mean of the loss over a minibatch's `token`s (published), over rows (`sequence`), or over the tokens of each role and
     * kind, which weigh as they have rows (`group`; not in the paper). See policy/engine/loss-weights.ts.
     */
    aggregation: z.enum(AGGREGATIONS).default('token'),
    /**
     * `trr_plus_plus`: the paper's equation 8. `trr_plus_plus_token_weighted`: as published, long answers weigh more.
     * `grpo`, `rloo`: baselines by prompt. `reinforce_plus_plus`: one baseline a batch. See learner/advantages.
     */
    advantage: z.enum(ADVANTAGES).default('trr_plus_plus'),
    /** Whether proposals are learned from (azr.train_propose). */
    trainPropose: z.boolean().default(true),
  }),
  /** Controlled experiments; nothing of this is in the paper. */
  control: z
    .strictObject({
      /**
       * Each solver row of a batch gets the reward of another of its role and kind: a permutation whose seed comes from
       * the run's and the iteration. RewardAssigned keeps the true reward, LearnerSample carries the permuted one.
       */
      permuteSolverRewards: z.boolean().default(false),
    })
    .prefault({}),
  evaluation: z.strictObject({
    /** Questions for each kind and bucket. */
    perBucket: count.max(10000),
    /** Questions are about programs of up to so many operations; as long as the tiny policy's programs where absent. */
    operations: count.min(MAX_OPERATIONS).max(MOST_OPERATIONS).optional(),
    /** Every this many iterations, and at the start and the end (trainer.test_freq). */
    every: count,
  }),
  schedule: z.strictObject({
    iterations: count,
    /**
     * First iterations that only fill the buffer, the policy staying as it is: the paper's seeding (a batch times 4) within
     * the run; 0, the default, starts from what was planted. See config/seeding-iterations.ts.
     */
    seedingIterations: z.number().int().min(0).default(0),
    /**
     * Which tasks the solver may draw: those of `this_iteration` too (the paper's algorithm), or only what the buffer
     * held when the iteration began, its newest being those of `last_iteration` (the published code).
     */
    solverTasks: z.enum(['this_iteration', 'last_iteration']).default('this_iteration'),
    /** Self-play ends after the iteration in which this time is up; null is no bound. */
    minutes: z.number().positive().nullable().default(null),
    /** Iterations after which the workflow's history starts anew. */
    continueAsNewEvery: count.default(10),
  }),
});

/** Rules over several keys. */
export const runConfigSchema = fields.superRefine(({ policy, propose }, context) => {
  const issue = (path: string[], message: string): void =>
    context.addIssue({ code: 'custom', path: ['propose', ...path], message });
  if (propose.source === 'uniform' && propose.kinds.includes('error'))
    issue(['kinds'], 'tasks of error prediction are proposed, not drawn; accepted with source: policy only');
  if (policy.kind === 'tiny') {
    const { operations = MAX_OPERATIONS, warmUp } = policy;
    const { proposeLengths, solveLengths, directLengths } = warmUp;
    const weights = { proposeLengths, solveLengths, directLengths: directLengths ?? [] };
    for (const [name, { length }] of Object.entries(weights))
      if (length > operations)
        context.addIssue({
          code: 'custom',
          path: ['policy', 'warmUp', name],
          message: `it has weights of ${length} lengths; accepted are up to policy.operations, ${operations}`,
        });
    if (propose.uniformLengths.length > operations)
      issue(
        ['uniformLengths'],
        `it has weights of ${propose.uniformLengths.length} lengths; accepted are up to policy.operations, ${operations}`,
      );
  }
  if (!mayCompose(propose.composite)) return;
  const most = mostFunctions(propose.composite);
  if (propose.references <= most)
    issue(['references'], `accepted are more than the ${most} functions that composite may give`);
  if (policy.kind === 'tiny' && most > 1)
    issue(
      [
        'composite',
        ...(propose.composite.maxFunctions > 1 ? ['maxFunctions'] : ['schedule', 'functionsLimit']),
      ],
      `the tiny policy has a symbol for one function, and this may give ${most}; accepted is 1`,
    );
});

export type RunConfig = z.infer<typeof runConfigSchema>;
