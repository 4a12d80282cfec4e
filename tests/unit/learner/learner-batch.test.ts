/** Which completions an iteration learns from: those of tests/support/synthetic-run.ts. */
import { describe, expect, it } from 'vitest';
import { dataOf } from '../../../src/activities/facts.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { learnerBatch, learnerBatchSettings, type LearnerBatch } from '../../../src/learner/learner-batch.js';
import { iterationRewards } from '../../../src/reward/iteration-rewards.js';
import { iterationEvents } from '../../support/synthetic-run.js';

const recorded = iterationEvents('run', 1, await resolveRunConfig('7b'), {});
const facts = {
  proposals: dataOf(recorded, 'ProposalSampled'),
  accepted: dataOf(recorded, 'TaskAccepted'),
  rejected: dataOf(recorded, 'TaskRejected'),
  solutions: dataOf(recorded, 'SolutionSampled'),
  verdicts: dataOf(recorded, 'SolutionVerified'),
  intrinsics: [],
};

async function batchOf(...overrides: string[]): Promise<LearnerBatch> {
  const { config } = await resolveRunConfig('7b', overrides);
  return learnerBatch(facts, iterationRewards(facts, config.reward).rewards, learnerBatchSettings(config, 1));
}
const groupsOf = ({ samples, baselines }: LearnerBatch): Record<string, number[]> =>
  Object.fromEntries(
    baselines.map(({ role, kind, count }) => [
      `${role} ${kind}`,
      [count, samples.filter((row) => row.role === role && row.kind === kind).length],
    ]),
  );

describe("the learner's batch", () => {
  it('has proposals and attempts, and not the rollouts behind learnability', async () => {
    expect(groupsOf(await batchOf())).toEqual({
      'propose deduction': [4, 4],
      'propose abduction': [1, 1],
      'solve deduction': [2, 2],
      'solve abduction': [2, 2],
    });
  });

  it('leaves proposals out where the proposer is not trained; the others keep their advantages', async () => {
    const [both, alone] = [await batchOf(), await batchOf('learner.trainPropose=false')];
    expect(Object.keys(groupsOf(alone))).toEqual(['solve deduction', 'solve abduction']);
    // A place is one in the row's own batch.
    const solved = both.samples.filter(({ role }) => role === 'solve');
    expect(alone.samples).toEqual(solved.map((sample, place) => ({ ...sample, place })));
  });

  it('has the rollouts too where they are learned from, in the groups of their kinds', async () => {
    expect(groupsOf(await batchOf('learnability.train=true'))).toEqual({
      'propose deduction': [4, 4],
      'propose abduction': [1, 1],
      'solve deduction': [10, 10],
      'solve abduction': [6, 6],
    });
  });
});
