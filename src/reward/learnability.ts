/**
 * Learnability of a proposed task (arXiv 2505.03335, the learnability reward): with a the mean accuracy of n solver rollouts,
 *
 *   one_minus: u = 0 where a = 0, else 1 - a        inverse: u = 1 - a
 */
export type LearnabilityRule = 'one_minus' | 'inverse';

/** @param meanAccuracy in [0, 1]. @returns u in [0, 1]. */
export function learnability(meanAccuracy: number, rule: LearnabilityRule): number {
  if (!(meanAccuracy >= 0 && meanAccuracy <= 1))
    throw new RangeError(`meanAccuracy is ${meanAccuracy}; accepted are 0 to 1`);
  return rule === 'one_minus' && meanAccuracy === 0 ? 0 : 1 - meanAccuracy;
}
