/** What an advantage estimator takes and gives, and the reward statistics that they share. */

/** A completion with its reward: a row of the learner's batch. */
export interface RewardedRow {
  /** Role and kind, as in `solve.deduction`: what TRR++ takes its baselines over. */
  readonly group: string;
  /** Attempts at the same prompt have the same one: what GRPO and RLOO take their baselines over. */
  readonly prompt: string;
  readonly reward: number;
  /** Completion tokens, at least 1. */
  readonly tokens: number;
}

/** Reward statistics of a role and kind. */
export interface GroupBaseline {
  readonly group: string;
  /** Rows. */
  readonly count: number;
  readonly mean: number;
  /** Of the sample (n - 1); 0 for one row. */
  readonly std: number;
}

export interface AdvantageEstimate {
  /** In the order of the rows. */
  readonly advantages: readonly number[];
  /** By group, in the order in which groups first occur. */
  readonly baselines: readonly GroupBaseline[];
}

export type AdvantageEstimator = (rows: readonly RewardedRow[]) => AdvantageEstimate;

export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly std: number;
}

/** Below this a deviation is rounding: all values are the same. */
const NO_DEVIATION = 1e-12;

/** Mean and the sample's deviation (Bessel's n - 1). @param values at least one. */
export function momentsOf(values: readonly number[]): Moments {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { count, mean, std: count > 1 ? Math.sqrt(squares / (count - 1)) : 0 };
}

/** (value - mean) / std; 0 where all values are equal, for there is nothing to prefer. */
export function standardised(value: number, { mean, std }: Moments): number {
  return std < NO_DEVIATION ? 0 : (value - mean) / std;
}

/** Rewards by key, in the order in which keys first occur. */
function rewardsBy(rows: readonly RewardedRow[], keyOf: (row: RewardedRow) => string): Map<string, number[]> {
  const rewards = new Map<string, number[]>();
  for (const row of rows) {
    const list = rewards.get(keyOf(row));
    if (list === undefined) rewards.set(keyOf(row), [row.reward]);
    else list.push(row.reward);
  }
  return rewards;
}

/** Reward statistics of every role and kind. */
export function groupBaselines(rows: readonly RewardedRow[]): Map<string, GroupBaseline> {
  return new Map(
    [...rewardsBy(rows, ({ group }) => group)].map(([group, rewards]) => [
      group,
      { group, ...momentsOf(rewards) },
    ]),
  );
}

/**
 * Advantages against the other attempts at the same prompt; a completion that is alone with its prompt is held against
 * its role and kind.
 */
export function relativeToPrompt(
  rows: readonly RewardedRow[],
  advantageOf: (reward: number, baseline: Moments) => number,
): AdvantageEstimate {
  const baselines = groupBaselines(rows);
  const prompts = new Map(
    [...rewardsBy(rows, ({ prompt }) => prompt)].map(([prompt, rewards]) => [prompt, momentsOf(rewards)]),
  );
  return {
    advantages: rows.map(({ group, prompt, reward }) => {
      const own = known(prompts, prompt);
      return advantageOf(reward, own.count > 1 ? own : known(baselines, group));
    }),
    baselines: [...baselines.values()],
  };
}

/** What a map must hold by construction. */
export function known<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`no rewards are known of ${key}`);
  return value;
}
