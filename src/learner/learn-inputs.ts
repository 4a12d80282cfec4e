/** A learner step's inputs from what the log holds: the same for the run and for its replay. */
import type { EventDataByType } from '../../schemas/generated/events.js';
import type { RunConfig } from '../config/run.js';
import { seedOf } from '../coordinates.js';
import type { LearnConfig, LearnRow } from '../policy/port.js';
import { learningRateOf } from './learning-rate.js';

export function learnConfig(config: RunConfig, iteration: number): LearnConfig {
  const { optimiser, clipLow, clipHigh, entropyCoefficient, minibatches, microbatchRows, aggregation } =
    config.learner;
  const { dualClip, klCoefficient, compute } = config.learner;
  const { policy } = config;
  return {
    ...optimiser,
    learningRate: learningRateOf(config, iteration),
    clipLow,
    clipHigh,
    entropyCoefficient,
    minibatches,
    microbatchRows,
    aggregation,
    // Absent where off: a checkpoint's provenance then stays what it was before there were these options.
    ...(dualClip === null ? {} : { dualClip }),
    ...(klCoefficient === 0 ? {} : { klCoefficient }),
    ...(policy.kind === 'huggingface' && policy.gradientCheckpointing ? { recompute: true } : {}),
    ...(compute === 'float32' ? {} : { compute }),
    shuffleSeed: seedOf(config.seed, iteration, 'learn', 'shuffle'),
  };
}

/**
 * Learner rows of a batch's events, in the order that minibatches are cut from. It rests on places, which say nothing of
 * the run, so that two equal forks learn the same; a batch of version 1 has none and keeps the order by ids of its time.
 */
export function learnRows(samples: readonly EventDataByType['LearnerSample'][]): LearnRow[] {
  return [...samples]
    .sort((a, b) => (a.place ?? -1) - (b.place ?? -1) || (a.sampleId < b.sampleId ? -1 : 1))
    .map((sample) => ({
      id: sample.place === null ? sample.sampleId : String(sample.place),
      group: `${sample.role}.${sample.kind}`,
      prompt: sample.promptTokens,
      completion: sample.completionTokens,
      logProbs: sample.logProbs,
      advantage: sample.advantage,
      ...(sample.grammar === null ? {} : { grammar: sample.grammar }),
    }));
}
