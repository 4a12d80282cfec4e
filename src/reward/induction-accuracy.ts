import type { TaskKind } from '../tasks/types.js';

/** From the share of hidden pairs that an induction answer maps rightly to its accuracy (azr code_f_reward_type). */
export type InductionRule = 'binary' | 'accuracy' | 'if_one_correct';

export function inductionAccuracy(shareOfPairs: number, rule: InductionRule): number {
  switch (rule) {
    case 'binary':
      return shareOfPairs === 1 ? 1 : 0;
    case 'accuracy':
      return shareOfPairs;
    case 'if_one_correct':
      return shareOfPairs > 0 ? 1 : 0;
  }
}

/** Accuracy of one attempt: for induction by the rule, for other kinds the share itself. */
export function attemptAccuracy(kind: TaskKind, share: number, rule: InductionRule): number {
  return kind === 'induction' ? inductionAccuracy(share, rule) : share;
}

/** Mean over a task's attempts; 0 without any. */
export function meanAccuracy(
  kind: TaskKind,
  attempts: readonly { readonly accuracy: number }[],
  rule: InductionRule,
): number {
  const total = attempts.reduce((sum, { accuracy }) => sum + attemptAccuracy(kind, accuracy, rule), 0);
  return attempts.length === 0 ? 0 : total / attempts.length;
}
