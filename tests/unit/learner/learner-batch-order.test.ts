/** The order of a batch's rows: what minibatches, permutations and sums of floats rest on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AzrEvent } from '../../../schemas/generated/events.js';
import { dataOf } from '../../../src/activities/facts.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { ADVANTAGES } from '../../../src/learner/advantages/names.js';
import { learnerBatch, learnerBatchSettings, type LearnerBatch } from '../../../src/learner/learner-batch.js';
import { learnRows } from '../../../src/learner/learn-inputs.js';
import { iterationEvents } from '../../support/synthetic-run.js';

const permuted = await resolveRunConfig('tiny', ['control.permuteSolverRewards=true']);

function batchOf(
  events: readonly AzrEvent[],
  { config } = permuted,
  order: 'coordinates' | 'facts' = 'coordinates',
): LearnerBatch {
  const facts = {
    proposals: dataOf(events, 'ProposalSampled'),
    accepted: dataOf(events, 'TaskAccepted'),
    rejected: dataOf(events, 'TaskRejected'),
    solutions: dataOf(events, 'SolutionSampled'),
    verdicts: dataOf(events, 'SolutionVerified'),
    intrinsics: [],
  };
  return learnerBatch(facts, dataOf(events, 'RewardAssigned'), learnerBatchSettings(config, 2, order));
}

const rowsOf = (run: string, { samples }: LearnerBatch) =>
  learnRows(
    samples.map((sample) => ({
      ...sample,
      batchId: 'batch',
      sampleId: `${run} ${sample.subjectId} ${sample.sample}`,
    })),
  );

describe('a learner batch', () => {
  const events = iterationEvents('run-a', 2, permuted, {});

  it('has one order, whatever the order in which its facts come', () => {
    const wanted = batchOf(events);
    expect(wanted.samples.map(({ place }) => place)).toEqual(wanted.samples.map((_, i) => i));
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: events.length }), (shuffled) => {
        expect(batchOf(shuffled)).toEqual(wanted);
      }),
      { numRuns: 30 },
    );
  });

  it.each(ADVANTAGES)('by %s: two runs that differ in their name alone learn the same rows', async (name) => {
    const config = await resolveRunConfig('tiny', [
      'control.permuteSolverRewards=true',
      `learner.advantage=${name}`,
    ]);
    const rows = ['run-a', 'zebra', '0'].map((run) =>
      rowsOf(run, batchOf(iterationEvents(run, 2, config, {}), config)),
    );
    expect(rows[0]?.length).toBe(21);
    expect(rows[1]).toEqual(rows[0]);
    expect(rows[2]).toEqual(rows[0]);
  });

  it('recorded without places keeps the order of its facts, and the learner takes it by ids', () => {
    const old = batchOf(events, permuted, 'facts');
    expect(new Set(old.samples.map(({ place }) => place))).toEqual(new Set([null]));
    expect(old.samples.map(({ subjectId }) => subjectId)).toEqual(
      dataOf(events, 'RewardAssigned').flatMap(({ subjectId, attempts }) => attempts.map(() => subjectId)),
    );
    const ids = rowsOf('run-a', old).map(({ id }) => id);
    expect(ids).toEqual([...ids].sort());
    expect(ids).not.toEqual(rowsOf('run-a', batchOf(events)).map(({ id }) => id));
  });
});
