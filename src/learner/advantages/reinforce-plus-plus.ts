/**
 * REINFORCE++ (Hu 2025, arXiv 2501.03262): one baseline for the whole batch, whatever role and kind,
 *
 *   A = (r - mean_batch) / std_batch
 *
 * over completions, with the sample's deviation; 0 where all rewards are equal. It is TRR++ with its six baselines made
 * one: the ablation that shows what task-relative baselines are for.
 *
 * Deviations from the paper: its KL term stands in the loss (learner.klCoefficient), not in the reward; normalisation runs
 * over completions, as in TRR++.
 */
import {
  groupBaselines,
  momentsOf,
  standardised,
  type AdvantageEstimate,
  type RewardedRow,
} from './estimate.js';

export function reinforcePlusPlus(rows: readonly RewardedRow[]): AdvantageEstimate {
  if (rows.length === 0) return { advantages: [], baselines: [] };
  const batch = momentsOf(rows.map(({ reward }) => reward));
  return {
    advantages: rows.map(({ reward }) => standardised(reward, batch)),
    // What each role and kind got, for the record; the baseline is the batch's.
    baselines: [...groupBaselines(rows).values()],
  };
}
