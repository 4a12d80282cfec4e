/** Warm-up rows of every role, kind and length, most of them with thoughts. */
export const WARM_UP_MIX = {
  proposeShare: 0.4,
  proposeLengths: [1, 1, 1],
  solveLengths: [1, 1, 1],
  thinkShares: [0.7, 0.7, 0.7],
  kinds: [1, 1, 1],
  maxReferences: 2,
  directLengths: null,
  inductionTargets: 'drawn',
} as const;
