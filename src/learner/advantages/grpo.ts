/**
 * Group-relative policy optimisation's advantage (Shao et al. 2024, arXiv 2402.03300, outcome supervision): the attempts at one
 * prompt are each other's baseline,
 *
 *   A = (r - mean_prompt) / std_prompt
 *
 * with the sample's deviation; a prompt whose rewards are all equal has advantage 0.
 *
 * A completion that is alone with its prompt has no group: a proposal always, a solver's attempt with samplesPerTask 1.
 * Its baseline is that of its role and kind, as in TRR++.
 */
import { relativeToPrompt, standardised, type AdvantageEstimate, type RewardedRow } from './estimate.js';

export function grpo(rows: readonly RewardedRow[]): AdvantageEstimate {
  return relativeToPrompt(rows, standardised);
}
