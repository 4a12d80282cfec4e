/**
 * REINFORCE leave-one-out (Ahmadian et al. 2024, arXiv 2402.14740, equation 8): the baseline of an attempt is the mean
 * reward of the other attempts at its prompt,
 *
 *   A_i = r_i - sum_{j != i} r_j / (n - 1) = (r_i - mean) n / (n - 1)
 *
 * not scaled by any deviation.
 *
 * A completion that is alone with its prompt (a proposal always, a solver's attempt with samplesPerTask 1) leaves itself
 * out of its role and kind instead; alone there too, it has advantage 0.
 */
import {
  groupBaselines,
  known,
  momentsOf,
  rewardsBy,
  type AdvantageEstimate,
  type Moments,
  type RewardedRow,
} from './estimate.js';

export function rloo(rows: readonly RewardedRow[]): AdvantageEstimate {
  const baselines = groupBaselines(rows);
  const prompts = new Map(
    [...rewardsBy(rows, ({ prompt }) => prompt)].map(([prompt, rewards]) => [prompt, momentsOf(rewards)]),
  );
  return {
    advantages: rows.map(({ group, prompt, reward }) => {
      const own = known(prompts, prompt);
      return leaveOneOut(reward, own.count > 1 ? own : known(baselines, group));
    }),
    baselines: [...baselines.values()],
  };
}

function leaveOneOut(reward: number, { count, mean }: Moments): number {
  return count > 1 ? ((reward - mean) * count) / (count - 1) : 0;
}
