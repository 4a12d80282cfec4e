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
