/** The models that both sides load, and the token rows that they are given. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { installedFolder, SMOLLM2 } from '../../src/config/model-folder.js';
import { Random } from '../../src/random.js';
import type { Optimiser, Side, StepRows } from './process.js';

/** 4 layers of 128, 1.0 million parameters: Qwen2's architecture, biases and shared keys included. */
export const TINY = {
  model_type: 'qwen2',
  vocab_size: 512,
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  tie_word_embeddings: true,
} as const;

/** Of the steps that are timed. */
export const OPTIMISER: Optimiser = {
  learningRate: 1e-5,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.001,
};

/** SmolLM2-135M-Instruct where `azr model fetch` puts it, or what AZR_SMOLLM2 names; undefined where it is not. */
export function smolLm2Folder(): string | undefined {
  const folder = process.env['AZR_SMOLLM2'] ?? installedFolder(SMOLLM2);
  return existsSync(path.join(folder, 'config.json')) ? folder : undefined;
}

export function tokenRows(count: number, length: number, vocabulary: number, seed: number): number[][] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => Array.from({ length }, () => random.below(vocabulary)));
}

/** Rows whose behaviour log-probabilities are the model's own, as PyTorch computes them: ratios of 1 at the first step. */
export async function stepRows(torch: Side, ids: number[][], promptTokens: number): Promise<StepRows> {
  const { logProbs } = await torch.ask<{ logProbs: number[][] }>({ do: 'score', ids });
  const random = new Random(7);
  return { ids, promptTokens, oldLogProbs: logProbs, advantage: ids.map(() => 2 * random.uniform() - 1) };
}
