/** What a learner step says about itself: sums while it runs, means at its end. */
import type { LearnStatistics } from '../port.js';

export interface StepTotals {
  /** Optimiser steps taken, and the sums of their losses and gradient norms. */
  steps: number;
  loss: number;
  gradNorm: number;
  /** Sums over completion tokens. */
  approxKl: number;
  clipped: number;
  negativeLogLikelihood: number;
  tokens: number;
  rows: number;
  readonly groups: Record<
    string,
    { rows: number; tokens: number; entropy: number; loss: number; referenceKl?: number }
  >;
}

export function newTotals(): StepTotals {
  return {
    steps: 0,
    loss: 0,
    gradNorm: 0,
    approxKl: 0,
    clipped: 0,
    negativeLogLikelihood: 0,
    tokens: 0,
    rows: 0,
    groups: {},
  };
}

/**
 * Loss and gradient norm are means over the optimiser steps; the rest are means over completion tokens, as they stood
 * when their minibatch was met. Groups come in the order of their names.
 */
export function statisticsOf(totals: StepTotals): LearnStatistics {
  const { steps, tokens, rows } = totals;
  const groups = Object.entries(totals.groups).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    loss: totals.loss / steps,
    gradNorm: totals.gradNorm / steps,
    entropy: groups.reduce((sum, [, group]) => sum + group.entropy, 0) / tokens,
    approxKl: totals.approxKl / tokens,
    clipFraction: totals.clipped / tokens,
    tokens,
    rows,
    groups: Object.fromEntries(
      groups.map(([name, group]) => [
        name,
        {
          ...group,
          entropy: group.entropy / group.tokens,
          loss: group.loss / group.tokens,
          ...(group.referenceKl === undefined ? {} : { referenceKl: group.referenceKl / group.tokens }),
        },
      ]),
    ),
  };
}
