/**
 * The composite reward (arXiv 2505.03335) for both roles.
 *
 *   proposer: format error or invalid program -> formatError; u = 0 -> wrong; else u (intrinsic terms are added here)
 *   solver:   format error -> formatError; accuracy > 0 -> accuracy; else wrong
 *
 * Not in the paper: a valid proposal that the buffer refuses as a repeat gets `repeat`.
 * Every component is kept by name with its raw value, coefficient and cap.
 */
export interface RewardComponent {
  readonly name: string;
  readonly raw: number;
  readonly coefficient: number;
  readonly cap: number | null;
  /** What enters the reward: the level, or min(coefficient * raw, cap), which combine.ts joins. */
  readonly value: number;
}

export interface Reward {
  readonly reward: number;
  readonly components: readonly RewardComponent[];
}

export interface RewardLevels {
  readonly formatError: number;
  readonly wrong: number;
  readonly repeat: number;
}

export type ProposalFate =
  | { readonly kind: 'format-error' }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'repeat' }
  | {
      readonly kind: 'valid';
      readonly formatOk: boolean;
      /** u of learnability.ts */ readonly learnability: number;
    };

export function proposerReward(fate: ProposalFate, levels: RewardLevels): Reward {
  switch (fate.kind) {
    case 'format-error':
      return only('format', 0, levels.formatError);
    case 'invalid':
      return only('validity', 0, levels.formatError);
    case 'repeat':
      return only('novelty', 0, levels.repeat);
    case 'valid':
      if (!fate.formatOk) return only('format', 0, levels.formatError);
      if (fate.learnability === 0) return only('learnability', 0, levels.wrong);
      return only('learnability', fate.learnability, fate.learnability);
  }
}

/** @param accuracy in [0, 1], by the induction rule where there are several pairs. */
export function solverReward(formatOk: boolean, accuracy: number, levels: RewardLevels): Reward {
  if (!formatOk) return only('format', 0, levels.formatError);
  return only('accuracy', accuracy, accuracy > 0 ? accuracy : levels.wrong);
}

function only(name: string, raw: number, value: number): Reward {
  return { reward: value, components: [{ name, raw, coefficient: 1, cap: null, value }] };
}
