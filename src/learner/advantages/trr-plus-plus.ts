/**
 * Task-Relative REINFORCE++ (arXiv 2505.03335, equation 8): one baseline for each pair of role and task kind,
 *
 *   A = (r - mean_group) / std_group
 *
 * over the completions of the group, six groups for three kinds. The deviation is the sample's (Bessel's n - 1), as the
 * published code has it; a group whose rewards are all equal has advantage 0.
 *
 * Deviation from the published code: there mean and deviation run over response tokens, so that long answers weigh more
 * (trr-plus-plus-token-weighted.ts); here they run over completions, as the equation says.
 */
import { groupBaselines, known, standardised, type AdvantageEstimate, type RewardedRow } from './estimate.js';

export function trrPlusPlus(rows: readonly RewardedRow[]): AdvantageEstimate {
  const baselines = groupBaselines(rows);
  return {
    advantages: rows.map(({ group, reward }) => standardised(reward, known(baselines, group))),
    baselines: [...baselines.values()],
  };
}
