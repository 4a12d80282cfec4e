/**
 * REINFORCE leave-one-out (Ahmadian et al. 2024, arXiv 2402.14740): the baseline of an attempt is the mean
 * reward of the other attempts at its prompt,
 *
 *   A_i = r_i - sum_{j != i} r_j / (n - 1) = (r_i - mean) n / (n - 1)
 *
 * not scaled by any deviation.
 *
 * A completion that is alone with its prompt (a proposal always, a solver's attempt with samplesPerTask 1) leaves itself
 * out of its role and kind instead; alone there too, it has advantage 0.
 */
import { relativeToPrompt, type AdvantageEstimate, type Moments, type RewardedRow } from './estimate.js';

export function rloo(rows: readonly RewardedRow[]): AdvantageEstimate {
  return relativeToPrompt(rows, leaveOneOut);
}

function leaveOneOut(reward: number, { count, mean }: Moments): number {
  return count > 1 ? ((reward - mean) * count) / (count - 1) : 0;
}
