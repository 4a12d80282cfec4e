/** Rewards of a whole iteration, that of tests/support/synthetic-run.ts, under the switches of `reward`. */
import { beforeAll, describe, expect, it } from 'vitest';
import { dataOf } from '../../../src/activities/facts.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import type { RunConfig } from '../../../src/config/run.js';
import { COMBINE_METHODS, type CombineMethod } from '../../../src/reward/combine.js';
import {
  iterationRewards,
  type AssignedReward,
  type IterationFacts,
} from '../../../src/reward/iteration-rewards.js';
import { iterationEvents } from '../../support/synthetic-run.js';

let plain: IterationFacts;
const settings = async (...overrides: readonly string[]): Promise<RunConfig['reward']> =>
  (
    await resolveRunConfig(
      'tiny',
      overrides.map((override) => `reward.${override}`),
    )
  ).config.reward;

beforeAll(async () => {
  const events = iterationEvents('run', 1, await resolveRunConfig('tiny'), {});
  plain = {
    proposals: dataOf(events, 'ProposalSampled'),
    accepted: dataOf(events, 'TaskAccepted'),
    rejected: dataOf(events, 'TaskRejected'),
    solutions: dataOf(events, 'SolutionSampled'),
    verdicts: dataOf(events, 'SolutionVerified'),
    intrinsics: [],
  };
});

/** Every accepted task has a complexity of 0.5 and a halstead of 0.75. */
const measured = (): IterationFacts => ({
  ...plain,
  intrinsics: plain.accepted.map(({ proposalId, taskId, kind }) => ({
    proposalId: proposalId ?? '',
    taskId,
    kind,
    measures: [
      { name: 'complexity', raw: 0.5 },
      { name: 'halstead', raw: 0.75 },
    ],
  })),
});

const on = (...more: readonly string[]): Promise<RunConfig['reward']> =>
  settings(
    'intrinsic.complexity.enabled=true',
    'intrinsic.complexity.coefficient=0.25',
    'intrinsic.halstead.enabled=true',
    'intrinsic.halstead.coefficient=1',
    ...more,
  );

const proposers = (rewards: readonly AssignedReward[]): number[] =>
  rewards.filter(({ role }) => role === 'propose').map(({ attempts }) => attempts[0]?.reward ?? NaN);
const solvers = (rewards: readonly AssignedReward[]): readonly AssignedReward[] =>
  rewards.filter(({ role }) => role === 'solve');

describe('rewards of an iteration', () => {
  it('are learnability alone without intrinsic terms, whatever was measured and however terms would join', async () => {
    const without = iterationRewards(plain, await settings());
    // Mean accuracies 1/2, 0 and 3/4; then a repeat and a completion without a program.
    expect(proposers(without.rewards)).toEqual([0.5, -0.5, 0.25, -0.5, -1]);
    for (const method of COMBINE_METHODS)
      expect(iterationRewards(measured(), await settings(`combine=${method}`))).toEqual(without);
  });

  // Terms 0.25 * 0.5 = 0.125 and 0.75, of which the cap leaves 0.5.
  it.each<[CombineMethod, number, number]>([
    ['sum', 0.5 + 0.125 + 0.5, 0.25 + 0.125 + 0.5],
    ['multiply', 0.5 * 0.125 * 0.5, 0.25 * 0.125 * 0.5],
    ['sum_multiply', 0.5 + 0.125 * 0.5, 0.25 + 0.125 * 0.5],
    ['multiply_sum', 0.5 * 0.625, 0.25 * 0.625],
  ])('join terms by %s where a proposal teaches, and leave all others', async (method, half, quarter) => {
    const { rewards, learnability } = iterationRewards(measured(), await on(`combine=${method}`));
    expect(proposers(rewards)).toEqual([half, -0.5, quarter, -0.5, -1]);
    const without = iterationRewards(plain, await settings());
    expect(learnability).toEqual(without.learnability);
    expect(solvers(rewards)).toEqual(solvers(without.rewards));
    expect(rewards[0]?.attempts[0]?.components).toEqual([
      { name: 'learnability', raw: 0.5, coefficient: 1, cap: null, value: 0.5 },
      { name: 'complexity', raw: 0.5, coefficient: 0.25, cap: 0.5, value: 0.125 },
      { name: 'halstead', raw: 0.75, coefficient: 1, cap: 0.5, value: 0.5 },
    ]);
    expect(rewards[1]?.attempts[0]?.components.map(({ name }) => name)).toEqual(['learnability']);
  });

  it('are not made up where an enabled term was not measured', async () => {
    const reward = await on();
    expect(() => iterationRewards(plain, reward)).toThrow(
      'the intrinsic term complexity is enabled and was not measured',
    );
  });

  it('pay what is never solved by inverse, and not by one_minus', async () => {
    const { rewards } = iterationRewards(plain, await settings('learnability=inverse'));
    expect(proposers(rewards)).toEqual([0.5, 1, 0.25, -0.5, -1]);
  });

  it('take the levels of the configuration', async () => {
    const { rewards } = iterationRewards(
      plain,
      await settings('formatError=-2', 'wrong=-0.25', 'repeat=-0.75'),
    );
    expect(proposers(rewards)).toEqual([0.5, -0.25, 0.25, -0.75, -2]);
  });

  // Attempts that solve 2/5 and all of the hidden pairs.
  it.each([
    ['binary', [-0.5, 1], 0.5],
    ['accuracy', [0.4, 1], 0.3],
    ['if_one_correct', [1, 1], 0],
  ] as const)('by %s judge an induction attempt and its proposal', async (rule, attempts, u) => {
    const [task] = plain.accepted;
    const mine = <T extends { readonly taskId: string }>(all: readonly T[]): T[] =>
      all
        .filter(({ taskId }) => taskId === task?.taskId)
        .map((fact) => ({ ...fact, kind: 'induction' as const }));
    const facts: IterationFacts = {
      ...plain,
      proposals: plain.proposals
        .filter(({ proposalId }) => proposalId === task?.proposalId)
        .map((proposal) => ({ ...proposal, kind: 'induction' })),
      accepted: mine(plain.accepted),
      rejected: [],
      solutions: mine(plain.solutions).map((group) => ({
        ...group,
        attempts: group.attempts.slice(0, 2),
      })),
      verdicts: mine(plain.verdicts).map((group) => ({
        ...group,
        attempts: [0.4, 1].map((accuracy, sample) => ({
          sample,
          accuracy,
          correct: accuracy === 1,
          reason: 'judged',
        })),
      })),
    };
    const { rewards, learnability } = iterationRewards(facts, await settings(`induction=${rule}`));
    for (const group of solvers(rewards))
      expect(group.attempts.map(({ reward }) => reward)).toEqual(attempts);
    expect(learnability.map((estimate) => estimate.learnability)).toEqual([expect.closeTo(u, 12)]);
  });
});
