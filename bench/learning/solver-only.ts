/**
 * Overrides of a run whose solver gets uniformly drawn tasks: each kind has as many as give it the samples that it has in
 * self-play, where a proposal is tried `learnability.samples` times and a drawn task `solve.samplesPerTask` times:
 *
 *   batch of a kind = solve batch + propose batch * learnability.samples / samplesPerTask
 *
 * with every proposal taken as accepted; rollouts count where they are trained on.
 */
import { batchOfKind } from '../../src/config/batch-of-kind.js';
import type { RunConfig } from '../../src/config/run.js';

export function solverOnly({ propose, solve, learnability }: RunConfig): string[] {
  const rollouts = learnability.train ? learnability.samples / solve.samplesPerTask : 0;
  return [
    'propose.source=uniform',
    ...propose.kinds.map((kind) => {
      const batch = batchOfKind(solve, kind) + batchOfKind(propose, kind) * rollouts;
      return `solve.batchByKind.${kind}=${Math.round(batch)}`;
    }),
  ];
}
