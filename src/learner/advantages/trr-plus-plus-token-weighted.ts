/**
 * Task-Relative REINFORCE++ as the published code computes it: the return of every response token is the reward r of its
 * completion, and mean and variance run over all N response tokens of the role and kind. With T the tokens of a completion
 *
 *   m = sum T r / N      v = sum T (r - m)^2 / (N - 1)      A = (r - m) / sqrt(v + 1e-8)
 *
 * so that long answers weigh more. One token alone has advantage 0.
 */
import type { AdvantageEstimate, GroupBaseline, RewardedRow } from './estimate.js';
import { known } from './estimate.js';

const VARIANCE_FLOOR = 1e-8;

export function trrPlusPlusTokenWeighted(rows: readonly RewardedRow[]): AdvantageEstimate {
  const sums = new Map<string, { count: number; tokens: number; total: number; squares: number }>();
  for (const { group, reward, tokens } of rows) {
    const sum = sums.get(group) ?? { count: 0, tokens: 0, total: 0, squares: 0 };
    sums.set(group, sum);
    sum.count += 1;
    sum.tokens += tokens;
    sum.total += tokens * reward;
  }
  for (const { group, reward, tokens } of rows) {
    const sum = known(sums, group);
    sum.squares += tokens * (reward - sum.total / sum.tokens) ** 2;
  }
  const baselines = new Map<string, GroupBaseline & { readonly variance: number }>();
  for (const [group, { count, tokens, total, squares }] of sums) {
    const variance = tokens > 1 ? squares / (tokens - 1) : 0;
    baselines.set(group, { group, count, mean: total / tokens, std: Math.sqrt(variance), variance });
  }
  return {
    advantages: rows.map(({ group, reward }) => {
      const { mean, variance } = known(baselines, group);
      return (reward - mean) / Math.sqrt(variance + VARIANCE_FLOOR);
    }),
    baselines: [...baselines.values()].map(({ variance: _variance, ...baseline }) => baseline),
  };
}
