/**
 * The learner's batch of an iteration: one row a rewarded completion, its advantage by the configured estimator
 * (advantages/). Pure, so that replay computes the same from the log.
 */
import type { EventDataByType } from '../../schemas/generated/events.js';
import type { RunConfig } from '../config/run.js';
import type { AssignedReward, IterationFacts } from '../reward/iteration-rewards.js';
import { seedOf } from '../coordinates.js';
import type { Role, TaskKind } from '../tasks/types.js';
import { advantageEstimators, type AdvantageName } from './advantages/index.js';
import { permuteSolverRewards } from './permute-rewards.js';

export interface LearnerBatchSettings {
  /** Rows of proposals too. */
  readonly trainPropose: boolean;
  /** Rows of the rollouts that estimated learnability too. */
  readonly trainLearnability: boolean;
  /** Grammar start states are named `role.kind` for policies that have a grammar. */
  readonly hasGrammar: boolean;
  readonly advantage: AdvantageName;
  /** Seed of the permutation of solver rewards; null leaves them as they are. */
  readonly permutationSeed: number | null;
}

export function learnerBatchSettings(config: RunConfig, iteration: number): LearnerBatchSettings {
  return {
    advantage: config.learner.advantage,
    permutationSeed: config.control.permuteSolverRewards
      ? seedOf(config.seed, iteration, 'permute-rewards')
      : null,
    trainPropose: config.learner.trainPropose,
    trainLearnability: config.learnability.train,
    hasGrammar: config.policy.kind === 'tiny',
  };
}

export interface LearnerBatch {
  readonly samples: readonly Omit<EventDataByType['LearnerSample'], 'batchId' | 'sampleId'>[];
  readonly baselines: EventDataByType['LearnerBatchPrepared']['baselines'];
}

export function learnerBatch(
  facts: IterationFacts,
  rewards: readonly AssignedReward[],
  settings: LearnerBatchSettings,
): LearnerBatch {
  const proposals = new Map(facts.proposals.map((proposal) => [proposal.proposalId, proposal]));
  const solutions = new Map(facts.solutions.map((solution) => [solution.groupId, solution]));
  const rows: (Omit<LearnerBatch['samples'][number], 'advantage'> & { readonly group: string })[] = [];
  for (const { role, kind, subjectId, attempts } of rewards) {
    const group = `${role}.${kind}`;
    const common = { role, kind, subjectId, grammar: settings.hasGrammar ? group : null, group };
    if (role === 'propose') {
      const proposal = proposals.get(subjectId);
      if (!settings.trainPropose || proposal === undefined) continue;
      for (const attempt of attempts)
        rows.push({
          ...common,
          sample: attempt.sample,
          promptTokens: proposal.promptTokens,
          completionTokens: proposal.completionTokens,
          logProbs: proposal.logProbs,
          reward: attempt.reward,
        });
      continue;
    }
    const solution = solutions.get(subjectId);
    if (solution === undefined) continue;
    if (solution.purpose === 'learnability' && !settings.trainLearnability) continue;
    const sampled = new Map(solution.attempts.map((attempt) => [attempt.sample, attempt]));
    for (const attempt of attempts) {
      const completion = sampled.get(attempt.sample);
      if (completion === undefined) continue;
      rows.push({
        ...common,
        sample: attempt.sample,
        promptTokens: solution.promptTokens,
        completionTokens: completion.completionTokens,
        logProbs: completion.logProbs,
        reward: attempt.reward,
      });
    }
  }
  const rewarded =
    settings.permutationSeed === null ? rows : permuteSolverRewards(rows, settings.permutationSeed);
  const { advantages, baselines } = advantageEstimators[settings.advantage](
    rewarded.map(({ group, subjectId, reward, completionTokens }) => ({
      group,
      prompt: subjectId,
      reward,
      tokens: completionTokens.length,
    })),
  );
  return {
    samples: rewarded.map(({ group: _group, ...row }, i) => ({ ...row, advantage: advantages[i] ?? 0 })),
    baselines: baselines.map(({ group, count, mean, std }) => {
      const [role, kind] = group.split('.') as [Role, TaskKind];
      return { role, kind, count, mean, std };
    }),
  };
}
