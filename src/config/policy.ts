/**
 * What policy a run trains. A discriminated union on `kind`; each kind is one schema here.
 *
 * Names are the field's; where the published code has another name, its argument stands in the comment.
 */
import { z } from 'zod';
import { seedOf } from '../coordinates.js';
import { ADAPTABLE, type FreshAdapters } from '../policy/port.js';
import { WRAPPERS } from '../policy/text/envelope.js';
import { ENTRY_RULES } from '../policy/text/program.js';
import { MAX_OPERATIONS, MOST_OPERATIONS } from '../policy/tiny/operations.js';
import { INDUCTION_TARGETS } from '../policy/tiny/warm-up.js';
import { optimiserSchema } from './optimiser.js';

const share = z.number().min(0).max(1);
const count = z.number().int().min(1);

/** Weights of the tiny domain's program lengths, from 1; a length that is not in it has none. */
export const lengthWeights = z.array(z.number().min(0)).min(MAX_OPERATIONS).max(MOST_OPERATIONS);

const tinyModel = z.strictObject({
  layers: count.max(64),
  width: count.max(8192),
  heads: count.max(128),
  /** Width of the feed-forward part's hidden layer. */
  hidden: count.max(65536),
  /** Longest prompt + completion, in tokens. */
  context: count.max(131072),
  /** Base of the rotary positions' wavelengths; 10,000 where absent. Short contexts learn faster with a smaller one. */
  rotaryBase: z.number().gt(1).max(1e9).optional(),
});

/** From scratch over a small vocabulary, grammar-constrained. */
const tiny = z.strictObject({
  kind: z.literal('tiny'),
  model: tinyModel,
  /** Operations of the longest program; 3 where absent. Longer ones need a longer context and weights of their lengths. */
  operations: count.min(MAX_OPERATIONS).max(MOST_OPERATIONS).optional(),
  /** Likelihood training on generated programs before self-play; `steps: 0` is none. */
  warmUp: z.strictObject({
    steps: z.number().int().min(0),
    rowsPerStep: count,
    proposeShare: share,
    /** Of programs in proposals, and in solutions. */
    proposeLengths: lengthWeights,
    solveLengths: lengthWeights,
    /** The same of solutions without a thought; null: `solveLengths`. `[1, 0, 0]` answers at once only what is short. */
    directLengths: lengthWeights.nullable().default(null),
    /** Shares of deduction, abduction and induction solutions with a thought before the answer. */
    thinkShares: z.array(share).length(3).default([1, 1, 1]),
    /** First steps, and the shares that stand in for `thinkShares` in them: what a thought is, learned before the mix. */
    early: z
      .strictObject({
        steps: z.number().int().min(0).default(0),
        thinkShares: z.array(share).length(3).default([1, 1, 1]),
      })
      .prefault({}),
    /** Of the likelihood's mean: over a batch's `token`s, or over rows (`sequence`), in which a short answer weighs as much as a long thought. */
    aggregation: z.enum(['token', 'sequence']).default('token'),
    /** Answers of induction rows: the programs `drawn`, or their `canonical` equivalents (policy/tiny/canonical.ts). */
    inductionTargets: z.enum(INDUCTION_TARGETS).default('drawn'),
    /** Weights of deduction, abduction, induction. */
    kinds: z.array(z.number().min(0)).length(3).default([1, 1, 1]),
    optimiser: optimiserSchema,
    /** `linear`: the learning rate falls to 0 over the warm-up's steps, which evens out where it ends. */
    decay: z.enum(['none', 'linear']).default('none'),
  }),
});

/** `plain`: the text itself, as for base models. `tokenizer`: one user's turn through the tokenizer's own template. */
export const CHAT_TEMPLATES = ['plain', 'tokenizer'] as const;

/** A pre-trained model: a folder with config.json, tokenizer.json and *.safetensors, as Hugging Face lays it out. */
const huggingface = z.strictObject({
  kind: z.literal('huggingface'),
  /** The model's id at the hub, for the record: nothing is downloaded (actor_rollout_ref.model.path). */
  model: z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'accepted is OWNER/NAME, as in Qwen/Qwen2.5-Coder-7B'),
  /** The folder that holds it; null: none is given yet. */
  path: z.string().min(1).nullable().default(null),
  /**
   * How a task's text becomes a prompt, and where its answer stands in the completion (reward_fn.extraction_type).
   * `think`: reasoning, then an answer, each in tags. `boxed`: a final boxed answer. `bare`: the task alone.
   */
  wrapper: z.enum(WRAPPERS).default('think'),
  chatTemplate: z.enum(CHAT_TEMPLATES).default('plain'),
  /** Longest prompt, in tokens; a task that does not fit is drawn again (data.max_prompt_length). */
  maxPromptTokens: count.default(6144),
  /** Longest prompt before its wrapper: references that do not fit are left out (content_max_length). */
  maxContentTokens: count.default(5600),
  /** Longest completion, in tokens (data.max_response_length). */
  maxResponseTokens: count.default(8096),
  /** Rank of the low-rank adapters that are trained; null trains every weight, as published. */
  loraRank: count.max(1024).nullable().default(null),
  /** Scale of the adapters, alpha; their output is multiplied by alpha / rank. */
  loraAlpha: z.number().positive().default(32),
  /** The linear maps that have adapters, by PEFT's names (target_modules). */
  loraTargets: z
    .array(z.enum(ADAPTABLE))
    .min(1)
    .default([...ADAPTABLE]),
  /** Keep layer inputs alone and recompute the rest (actor_rollout_ref.model.enable_gradient_checkpointing). */
  gradientCheckpointing: z.boolean().default(true),
  /**
   * What completions are drawn from, and what ends them; where the preset is silent, generation_config.json speaks
   * (config/model-sampling.ts). Log-probabilities are recorded without truncation: a run that truncates learns from draws
   * that its ratios do not describe.
   */
  sampling: z
    .strictObject({
      /** From so many of the likeliest tokens; 0 is all. */
      topK: z.number().int().min(0).default(0),
      /** From the fewest tokens whose mass reaches this; 1 is all. */
      topP: z.number().gt(0).max(1).default(1),
      /** From tokens at least this share as likely as the likeliest; 0 is all. */
      minP: share.default(0),
      /** Texts that end a completion, beside the model's end tokens. */
      stop: z.array(z.string().min(1)).default([]),
    })
    .prefault({}),
  /** How proposed programs are read; see policy/text/program.ts. */
  program: z
    .strictObject({
      /** Which function is the entry (f_replace_location). */
      entry: z.enum(ENTRY_RULES).default('any_last'),
      /** Refuse programs of several top-level functions (reject_multiple_functions). */
      rejectMultipleFunctions: z.boolean().default(true),
    })
    .prefault({}),
  /** Inputs that an induction proposal needs (azr.data_selection_strategy.num_inputs). */
  inductionInputs: z.number().int().min(2).max(64).default(10),
});

export const policySchema = z.discriminatedUnion('kind', [tiny, huggingface]);

export type PolicyConfig = z.infer<typeof policySchema>;
export type TinyPolicyConfig = Extract<PolicyConfig, { kind: 'tiny' }>;
export type HuggingFacePolicyConfig = Extract<PolicyConfig, { kind: 'huggingface' }>;

/** The adapters that a run trains; undefined where it trains every weight. @param seed of the run */
export function freshAdapters(
  { loraRank: rank, loraAlpha: alpha, loraTargets }: HuggingFacePolicyConfig,
  seed: number,
): FreshAdapters | undefined {
  if (rank === null) return undefined;
  const targets = ADAPTABLE.filter((name) => loraTargets.includes(name));
  return { lora: { rank, alpha, targets }, seed: seedOf(seed, 'adapters') };
}

/** The policy of a run whose step only exists for `tiny`. @throws TypeError for another: a worker got a wrong run. */
export function tinyPolicy(policy: PolicyConfig): TinyPolicyConfig {
  if (policy.kind === 'tiny') return policy;
  throw new TypeError(`policy.kind is ${policy.kind}; this step exists for tiny`);
}
