/** Rewards, advantages and the learner's rows, from the iteration's facts by the pure functions of reward/ and learner/. */
import { idOf } from '../coordinates.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { learnerBatch, learnerBatchSettings } from '../learner/learner-batch.js';
import { iterationRewards, type AssignedReward, type IterationFacts } from '../reward/iteration-rewards.js';
import type { OrchestrateSteps } from '../../workflows/steps.js';
import type { CommonDependencies } from './dependencies.js';
import { dataOf, fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';

const BATCHES = topicOf('LearnerSample');

export function makeReward(dependencies: CommonDependencies): OrchestrateSteps['reward'] {
  const { log, configs, codeVersion } = dependencies;
  return (context, references) =>
    withHeartbeat(async () => {
      const config = await configs.of(context.run);
      const origin = originOf(context, codeVersion);
      const tasks = await log.read(references.tasks);
      const facts: IterationFacts = {
        proposals: dataOf(await log.read(references.proposals), 'ProposalSampled'),
        accepted: dataOf(tasks, 'TaskAccepted'),
        rejected: dataOf(tasks, 'TaskRejected'),
        solutions: dataOf(await log.read(references.solutions), 'SolutionSampled'),
        verdicts: dataOf(await log.read(references.verdicts), 'SolutionVerified'),
        intrinsics: dataOf(tasks, 'IntrinsicsMeasured'),
      };
      const { learnability, rewards } = iterationRewards(facts, config.reward);
      const { samples, baselines } = learnerBatch(
        facts,
        rewards,
        learnerBatchSettings(config, context.iteration),
      );
      const batchId = idOf(context.run.runId, context.iteration, 'batch');
      const events: AzrEvent[] = [
        ...learnability.map((data) =>
          fact(origin, 'LearnabilityEstimated', [data.proposalId], data, data.proposalId),
        ),
        ...rewards.map((data) => fact(origin, 'RewardAssigned', [data.subjectId], data, data.subjectId)),
        fact(origin, 'LearnerBatchPrepared', [batchId], {
          batchId,
          rows: samples.length,
          advantageEstimator: config.learner.advantage,
          baselines,
        }),
        ...samples.map((row) =>
          fact(
            origin,
            'LearnerSample',
            [row.subjectId, row.sample],
            { batchId, sampleId: idOf(batchId, row.subjectId, row.sample), ...row },
            row.subjectId,
          ),
        ),
      ];
      const batch = (await log.append(events, context.since)).find(
        (reference) => reference.topic === BATCHES,
      );
      if (batch === undefined) throw new Error(`iteration ${context.iteration} has nothing to learn from`);
      return {
        batch,
        rows: samples.length,
        solveRates: solveRates(facts),
        rewards: meanRewards(rewards),
      };
    });
}

/** Mean accuracy of all attempts, by kind. */
function solveRates(facts: IterationFacts): Record<string, number> {
  const sums = new Map<string, { total: number; count: number }>();
  for (const { kind, attempts } of facts.verdicts)
    for (const { accuracy } of attempts) add(sums, kind, accuracy);
  return means(sums);
}

function meanRewards(rewards: readonly AssignedReward[]): Record<string, number> {
  const sums = new Map<string, { total: number; count: number }>();
  for (const { role, kind, attempts } of rewards)
    for (const { reward } of attempts) add(sums, `${role}.${kind}`, reward);
  return means(sums);
}

function add(sums: Map<string, { total: number; count: number }>, key: string, value: number): void {
  const sum = sums.get(key) ?? { total: 0, count: 0 };
  sum.total += value;
  sum.count += 1;
  sums.set(key, sum);
}

function means(sums: Map<string, { total: number; count: number }>): Record<string, number> {
  return Object.fromEntries([...sums].sort().map(([key, { total, count }]) => [key, total / count]));
}
