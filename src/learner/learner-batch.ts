/**
 * The learner's batch of an iteration: one row a rewarded completion, its advantage by TRR++ (trr-plus-plus.ts). Pure, so
 * that replay computes the same from the log.
 */
import type { EventDataByType } from '../../schemas/generated/events.js';
import type { RunConfig } from '../config/run.js';
import type { AssignedReward, IterationFacts } from '../reward/iteration-rewards.js';
import { taskRelativeAdvantages } from './trr-plus-plus.js';

export interface LearnerBatchSettings {
  /** Rows of proposals too. */
  readonly trainPropose: boolean;
  /** Rows of the rollouts that estimated learnability too. */
  readonly trainLearnability: boolean;
  /** Grammar start states are named `role.kind` for policies that have a grammar. */
  readonly hasGrammar: boolean;
}

export function learnerBatchSettings(config: RunConfig): LearnerBatchSettings {
  return {
    trainPropose: config.learner.trainPropose,
    trainLearnability: config.learnability.train,
    hasGrammar: config.policy.kind === 'tiny',
  };
}

export interface LearnerBatch {
  readonly samples: readonly Omit<EventDataByType['LearnerSample'], 'batchId' | 'sampleId'>[];
  readonly baselines: EventDataByType['LearnerBatchPrepared']['baselines'];
}

export const ADVANTAGE_ESTIMATOR = 'trr-plus-plus';

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
  const { advantages, baselines } = taskRelativeAdvantages(rows);
  return {
    samples: rows.map(({ group: _group, ...row }, i) => ({ ...row, advantage: advantages[i] ?? 0 })),
    baselines: baselines.map(({ group, count, mean, std }) => {
      const [role, kind] = group.split('.') as ['propose' | 'solve', 'deduction' | 'abduction' | 'induction'];
      return { role, kind, count, mean, std };
    }),
  };
}
