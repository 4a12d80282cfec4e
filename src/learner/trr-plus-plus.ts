/**
 * Task-Relative REINFORCE++ (arXiv 2505.03335, equation 8): one baseline for each pair of role and task kind,
 *
 *   A = (r - mean_group) / std_group
 *
 * over the completions of the group, six groups in all. The deviation is the sample's (Bessel's n - 1), as the published
 * code has it; a group whose rewards are all equal has advantage 0.
 *
 * Deviation from the published code: there mean and deviation run over response tokens, so that long answers weigh more;
 * here they run over completions, as the equation says.
 */
export interface GroupBaseline {
  readonly group: string;
  readonly count: number;
  readonly mean: number;
  readonly std: number;
}

export function taskRelativeAdvantages(
  rows: readonly { readonly group: string; readonly reward: number }[],
): {
  advantages: number[];
  baselines: GroupBaseline[];
} {
  const rewards = new Map<string, number[]>();
  for (const { group, reward } of rows) {
    const list = rewards.get(group);
    if (list === undefined) rewards.set(group, [reward]);
    else list.push(reward);
  }
  const baselines = new Map<string, GroupBaseline>();
  for (const [group, list] of rewards) {
    const count = list.length;
    const mean = list.reduce((sum, r) => sum + r, 0) / count;
    const squares = list.reduce((sum, r) => sum + (r - mean) ** 2, 0);
    baselines.set(group, { group, count, mean, std: count > 1 ? Math.sqrt(squares / (count - 1)) : 0 });
  }
  return {
    advantages: rows.map(({ group, reward }) => {
      const baseline = baselines.get(group);
      return baseline === undefined || baseline.std < 1e-12 ? 0 : (reward - baseline.mean) / baseline.std;
    }),
    baselines: [...baselines.values()],
  };
}
