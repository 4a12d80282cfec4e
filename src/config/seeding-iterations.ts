/**
 * A run's first `schedule.seedingIterations` fill the buffer with tasks of the policy as it stands, as the paper's seeding
 * does (arXiv 2505.03335, section 3.3.1: a batch times 4, no update), but within the run: tasks are proposed, judged and
 * rewarded, and the learner's steps have the learning rate 0.
 *
 * A run that starts from the identity alone has one program for induction in its first iteration. Tasks about it would
 * be a tenth of the buffer for long, and the solver would learn to answer with it; so none are proposed then.
 */
import type { TaskKind } from '../tasks/types.js';
import type { RunConfig } from './run.js';

/** @param iteration from 1. */
export function isSeeding({ schedule }: Pick<RunConfig, 'schedule'>, iteration: number): boolean {
  return iteration <= schedule.seedingIterations;
}

/** Kinds that are proposed in an iteration, from 1. */
export function proposedKinds(
  config: Pick<RunConfig, 'schedule' | 'propose'>,
  iteration: number,
): readonly TaskKind[] {
  const { kinds } = config.propose;
  return iteration === 1 && isSeeding(config, iteration)
    ? kinds.filter((kind) => kind !== 'induction')
    : kinds;
}
