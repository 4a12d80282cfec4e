/**
 * Group-relative policy optimisation's advantage (Shao et al. 2024, arXiv 2402.03300, section 4.1.2): the attempts at one
 * prompt are each other's baseline,
 *
 *   A = (r - mean_prompt) / std_prompt
 *
 * with the sample's deviation; a prompt whose rewards are all equal has advantage 0.
 *
 * A completion that is alone with its prompt has no group: a proposal always, a solver's attempt with samplesPerTask 1.
 * Its baseline is that of its role and kind, as in TRR++.
 */
import {
  groupBaselines,
  known,
  momentsOf,
  rewardsBy,
  standardised,
  type AdvantageEstimate,
  type RewardedRow,
} from './estimate.js';

export function grpo(rows: readonly RewardedRow[]): AdvantageEstimate {
  const baselines = groupBaselines(rows);
  const prompts = new Map(
    [...rewardsBy(rows, ({ prompt }) => prompt)].map(([prompt, rewards]) => [prompt, momentsOf(rewards)]),
  );
  return {
    advantages: rows.map(({ group, prompt, reward }) => {
      const own = known(prompts, prompt);
      return standardised(reward, own.count > 1 ? own : known(baselines, group));
    }),
    baselines: [...baselines.values()],
  };
}
