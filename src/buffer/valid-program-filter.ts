/**
 * Which valid tasks stay in the buffer once their learnability is known (valid_program_filter): with a the mean accuracy
 * of the rollouts
 *
 *   all   every one (published presets)     non_one   a < 1     non_extremes   0 < a < 1
 *
 * Deviation: the rollouts that tell a are this iteration's, made together with the solver's attempts, so a task that the
 * filter refuses may still be tried in the iteration that accepted it; from the next one on it is gone.
 */
export const VALID_PROGRAM_FILTERS = ['all', 'non_one', 'non_extremes'] as const;
export type ValidProgramFilter = (typeof VALID_PROGRAM_FILTERS)[number];

/** @param meanAccuracy in [0, 1]. */
export function passesFilter(meanAccuracy: number, filter: ValidProgramFilter): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'non_one':
      return meanAccuracy < 1;
    case 'non_extremes':
      return meanAccuracy > 0 && meanAccuracy < 1;
  }
}
