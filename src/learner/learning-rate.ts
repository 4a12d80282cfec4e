/**
 * The learning rate of an iteration's optimiser steps.
 *
 *   rate(i) = a + (b - a) (i - 1) / (I - 1),   i = 1 ... I = schedule.iterations
 *
 * with a = learner.optimiser.learningRate and b = learner.finalLearningRate. Without b it is a throughout, as in the paper
 * (actor_rollout_ref.actor.optim.lr, constant). In seeding iterations it is 0 (config/seeding-iterations.ts).
 */
import { isSeeding } from '../config/seeding-iterations.js';
import type { RunConfig } from '../config/run.js';

/** @param iteration from 1; those behind the last of the schedule have its rate. */
export function learningRateOf(config: Pick<RunConfig, 'learner' | 'schedule'>, iteration: number): number {
  if (isSeeding(config, iteration)) return 0;
  const { optimiser, finalLearningRate: final } = config.learner;
  const { iterations } = config.schedule;
  if (final === undefined || iterations === 1) return optimiser.learningRate;
  const done = Math.min(1, (iteration - 1) / (iterations - 1));
  return optimiser.learningRate + (final - optimiser.learningRate) * done;
}
