/**
 * The policy engine port: sampling and learning over token rows, whatever model stands behind it.
 *
 * Tokens, grammars and log-probabilities only; prompts and Python belong to the codec (codec.ts).
 */
import type { Aggregation } from '../learner/aggregations.js';

/**
 * A grammar over tokens as a deterministic automaton: `allowed[state * vocabulary + token]` is 1 where the token may
 * follow, `next[state * vocabulary + token]` is the state after it (-1 where not allowed). Sampling draws from the
 * softmax over the allowed tokens only, and the learner renormalises over the same mask.
 */
export interface GrammarTable {
  readonly vocabulary: number;
  readonly states: number;
  /** Uint8, states x vocabulary */
  readonly allowed: Uint8Array;
  /** Int32, states x vocabulary */
  readonly next: Int32Array;
  /** Start states by name, e.g. `propose.deduction`. */
  readonly start: Readonly<Record<string, number>>;
}

/**
 * How Llama 3 stretches rotary positions beyond the context that it was first trained with (Grattafiori et al. 2024,
 * arXiv 2407.21783; `rope_type` "llama3" of Transformers): wavelengths above originalContext / lowFrequencyFactor are
 * `factor` times as long, those below originalContext / highFrequencyFactor stay, and between the two the frequency is
 * interpolated.
 */
export interface RotaryScaling {
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  readonly originalContext: number;
}

/** The linear maps of a layer that can have a low-rank adapter, by the names of Hugging Face and PEFT. */
export const ADAPTABLE = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const;
export type Adaptable = (typeof ADAPTABLE)[number];

/** Low-rank adapters, which are trained in the weights' place (Hu et al. 2021, arXiv 2106.09685); dropout is 0. */
export interface LoraSpec {
  readonly rank: number;
  /** What an adapter says is multiplied by alpha / rank. */
  readonly alpha: number;
  /** In the order of ADAPTABLE. */
  readonly targets: readonly Adaptable[];
}

/** Adapters of a model that has none yet: B is 0, and A comes from the seed. */
export interface FreshAdapters {
  readonly lora: LoraSpec;
  readonly seed: number;
}

/**
 * A decoder-only transformer. What is optional is absent for the tiny policy, whose checkpoints, digests and numbers
 * rest on that; pre-trained models state it (hugging-face/config.ts).
 */
export interface ModelSpec {
  readonly vocabulary: number;
  readonly layers: number;
  readonly width: number;
  /** Query heads. */
  readonly heads: number;
  /** Heads of keys and values, each met by heads / keyValueHeads queries (Ainslie et al. 2023); absent: heads. */
  readonly keyValueHeads?: number;
  /** Absent: width / heads. */
  readonly headWidth?: number;
  /** Biases of the query, key and value projections (Qwen2); the output projection has none. Absent: none. */
  readonly attentionBias?: boolean;
  /** RMS norms of each head's query and key before they are rotated (Qwen3). Absent: none. */
  readonly queryKeyNorm?: boolean;
  /** An output matrix of its own; absent: the embedding is the output matrix too. */
  readonly untied?: boolean;
  /** Added to the mean square in RMS norms; absent: 1e-6. */
  readonly normEpsilon?: number;
  /** Width of the feed-forward part's hidden layer. */
  readonly hidden: number;
  /** Longest prompt + completion, in tokens. */
  readonly context: number;
  /** Base of the rotary positions' wavelengths; absent: 10,000 (Su et al. 2021). */
  readonly rotaryBase?: number;
  readonly rotaryScaling?: RotaryScaling;
  /**
   * Rotary angles in float32, as Transformers computes them, inside the graph: no table as long as the context. Absent:
   * a table made in double precision.
   */
  readonly rotaryInGraph?: boolean;
  readonly padToken: number;
  /** Absent: nothing but its length ends a completion. */
  readonly endToken?: number;
  /** Tokens beside endToken that end a completion; absent: none. */
  readonly moreEndTokens?: readonly number[];
  /** Absent for policies over free text. */
  readonly grammar?: GrammarTable;
  /** Adapters that are trained while every other weight stays as it is; absent: all weights are trained. */
  readonly lora?: LoraSpec;
}

/** A saved model: a folder whose manifest names its files and their SHA-256. */
export interface CheckpointRef {
  /** Policy version: 0 after warm-up, then one more a learner step. */
  readonly version: number;
  /** Absolute folder. */
  readonly folder: string;
  /** SHA-256 of the manifest, which holds the digests of all files. */
  readonly digest: string;
}

export interface SampleRequest {
  readonly id: string;
  readonly prompt: readonly number[];
  /** From coordinates; a sample does not depend on its batch mates. */
  readonly seed: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxTokens: number;
  /** Name of a start state of the grammar; absent: unconstrained. */
  readonly grammar?: string;
  /** Draw from the k most probable tokens only; absent: from all. */
  readonly topK?: number;
  /** Draw from the fewest tokens whose mass reaches this; absent or 1: from all. */
  readonly topP?: number;
  /** Draw from tokens at least this share as probable as the most probable one; absent or 0: from all. */
  readonly minP?: number;
  /** Texts that end the completion, within tokens or across them; they need SampleOptions.tokenTexts. */
  readonly stop?: readonly string[];
  /** End tokens do not end the completion: it has maxTokens tokens. */
  readonly ignoreEnd?: boolean;
}

/** The bytes that each token stands for: those of token i are `bytes[ends[i - 1]]` to before `bytes[ends[i]]`. */
export interface TokenTexts {
  readonly bytes: Uint8Array;
  /** [vocabulary] */
  readonly ends: Int32Array;
}

export interface SampleOptions {
  readonly signal?: AbortSignal;
  /** Called with the tokens so far, at least once a second. */
  readonly onProgress?: (tokens: number) => void;
  /** Called with a sample's next tokens, as they come. */
  readonly onTokens?: (id: string, tokens: readonly number[]) => void;
  readonly tokenTexts?: TokenTexts;
}

export interface Sample {
  readonly id: string;
  /** Completion tokens, the end token included when it was drawn. */
  readonly tokens: readonly number[];
  /** Log-probability of each completion token under the policy: temperature 1, grammar applied, nothing truncated. */
  readonly logProbs: readonly number[];
  /** `end`: an end token; `stop`: a stop string, of which the last token may hold more; `length`: maxTokens. */
  readonly finish: 'end' | 'stop' | 'length';
  /** The stop string that was met. */
  readonly stop?: string;
}

/** One row for the learner: loss is on the completion's tokens. */
export interface LearnRow {
  readonly id: string;
  /** Statistics are kept by group, e.g. `solve.abduction`. */
  readonly group: string;
  readonly prompt: readonly number[];
  readonly completion: readonly number[];
  /** Behaviour log-probabilities; empty for likelihood rows. */
  readonly logProbs: readonly number[];
  /** Which of the completion's tokens the loss is on; absent: all. */
  readonly mask?: readonly boolean[];
  readonly advantage: number;
  readonly grammar?: string;
}

/** In which type matrix products are taken; all else is float32. */
export const COMPUTES = ['float32', 'bfloat16'] as const;
export type Compute = (typeof COMPUTES)[number];

export interface LearnConfig {
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Global-norm gradient clip; 0 is none. */
  readonly maxGradNorm: number;
  /** PPO ratio clip: ratio in [1 - low, 1 + high]. */
  readonly clipLow: number;
  readonly clipHigh: number;
  readonly entropyCoefficient: number;
  /** Dual clip: with a negative advantage the loss goes no further than that of this ratio, above 1; absent is off. */
  readonly dualClip?: number;
  /** Factor of the divergence from a reference policy (k3 estimator), above 0; absent is off. */
  readonly klCoefficient?: number;
  /** Optimiser steps a batch is cut into. */
  readonly minibatches: number;
  /** Rows that go through the device at once; does not change the result beyond rounding. */
  readonly microbatchRows: number;
  /** The mean of token losses over a minibatch: engine/loss-weights.ts. */
  readonly aggregation: Aggregation;
  /** Order of rows in minibatches. */
  readonly shuffleSeed: number;
  /** Keep the layers' inputs alone and compute the rest again for the gradients: less memory, more time. Absent: no. */
  readonly recompute?: boolean;
  /** Absent: float32. Weights, moments and checkpoints are float32 in either case. */
  readonly compute?: Compute;
}

/** A warm-up's configuration. */
export interface ImitationConfig extends LearnConfig {
  /** The learning rate falls linearly, to 0 after this many steps; absent: it stays as it is. */
  readonly linearDecaySteps?: number;
}

export interface LearnStatistics {
  readonly loss: number;
  readonly gradNorm: number;
  /** Mean over completion tokens, nats. */
  readonly entropy: number;
  /** Mean of (ratio - 1) - log ratio over completion tokens. */
  readonly approxKl: number;
  /** Share of completion tokens whose ratio was clipped. */
  readonly clipFraction: number;
  readonly tokens: number;
  readonly rows: number;
  /** By group; `referenceKl`, the mean divergence from the reference policy in nats, only where there is one. */
  readonly groups: Readonly<
    Record<string, { rows: number; tokens: number; entropy: number; loss: number; referenceKl?: number }>
  >;
}

export interface BackendInfo {
  /** e.g. `tfjs-node-gpu` */
  readonly backend: string;
  readonly device: 'cpu' | 'gpu';
  /** e.g. `libtensorflow 2.18.1` */
  readonly library: string;
  readonly threads: number;
  /** Of a graphics adapter: its vendor, architecture, name and driver, as far as they are told. */
  readonly adapter?: string;
  /** Why this one and not the ones before it in the order. */
  readonly reason: string;
}

/** e.g. `libtensorflow 2.18.1 (no CUDA device: TensorFlow's CPU kernels)` */
export const backendText = ({ library, adapter, reason }: BackendInfo): string =>
  `${library}${adapter === undefined ? '' : `, on ${adapter}`} (${reason})`;

export interface PolicyEngine {
  readonly backend: BackendInfo;
  /** Fresh weights from a seed, saved as version 0 without any training. */
  initialise(spec: ModelSpec, seed: number, folder: string): Promise<CheckpointRef>;
  /**
   * A Hugging Face folder's weights as version 0, the optimiser's moments at 0; with adapters where they are asked for.
   * @throws ModelFileError naming what is missing or does not fit, before weights are read.
   */
  importModel(source: string, folder: string, adapters?: FreshAdapters): Promise<CheckpointRef>;
  /** Samples in request order. */
  sample(
    checkpoint: CheckpointRef,
    requests: readonly SampleRequest[],
    options?: SampleOptions,
  ): Promise<readonly Sample[]>;
  /**
   * One pass over `rows`: loads the parent (weights and optimiser), steps, saves the child into `folder`. `reference` is
   * the policy that `klCoefficient` holds the child to; it is needed with it, and not accepted without.
   */
  learn(
    parent: CheckpointRef,
    rows: readonly LearnRow[],
    config: LearnConfig,
    folder: string,
    options?: {
      readonly signal?: AbortSignal;
      readonly onProgress?: (rowsDone: number) => void;
      readonly reference?: CheckpointRef;
    },
  ): Promise<{ readonly checkpoint: CheckpointRef; readonly statistics: LearnStatistics }>;
  /**
   * Next-token likelihood training on `batches` (the warm-up): same optimiser, loss = mean negative log-likelihood of
   * completion tokens. The saved child keeps `version`.
   */
  imitate(
    parent: CheckpointRef,
    batches: AsyncIterable<readonly LearnRow[]> | Iterable<readonly LearnRow[]>,
    config: ImitationConfig,
    folder: string,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (step: number, loss: number) => void },
  ): Promise<{ readonly checkpoint: CheckpointRef; readonly steps: number; readonly loss: number }>;
  close(): Promise<void>;
}
