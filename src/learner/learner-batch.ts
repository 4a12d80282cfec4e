/**
 * The learner's batch of an iteration: one row a rewarded completion, its advantage by the configured estimator
 * (advantages/). Pure, so that replay computes the same from the log.
 *
 * Rows stand in the order of their coordinates (role, kind, purpose, index, sample), whatever the order of the facts:
 * sums of floats, minibatches and permutations rest on it, and must not on partitions or on the run's name.
 */
import type { EventDataByType } from '../../schemas/generated/events.js';
import type { RunConfig } from '../config/run.js';
import type { AssignedReward, IterationFacts } from '../reward/iteration-rewards.js';
import { seedOf } from '../coordinates.js';
import { TASK_KINDS, type Role, type TaskKind } from '../tasks/types.js';
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
  readonly rowOrder: RowOrder;
}

/** `facts`: as the facts come, without places; so were the batches of LearnerSample's version 1. */
export type RowOrder = 'coordinates' | 'facts';

export function learnerBatchSettings(
  config: RunConfig,
  iteration: number,
  rowOrder: RowOrder = 'coordinates',
): LearnerBatchSettings {
  return {
    rowOrder,
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

type BatchRow = Omit<LearnerBatch['samples'][number], 'advantage' | 'place'> & {
  /** Role and kind. */
  readonly group: string;
  readonly purpose: 'propose' | EventDataByType['SolutionSampled']['purpose'];
  readonly index: number;
};

export function learnerBatch(
  facts: IterationFacts,
  rewards: readonly AssignedReward[],
  settings: LearnerBatchSettings,
): LearnerBatch {
  const proposals = new Map(facts.proposals.map((proposal) => [proposal.proposalId, proposal]));
  const solutions = new Map(facts.solutions.map((solution) => [solution.groupId, solution]));
  const rows: BatchRow[] = [];
  for (const { role, kind, subjectId, attempts } of rewards) {
    const group = `${role}.${kind}`;
    const grammar = settings.hasGrammar ? group : null;
    if (role === 'propose') {
      const proposal = proposals.get(subjectId);
      if (!settings.trainPropose || proposal === undefined) continue;
      for (const attempt of attempts)
        rows.push({
          role,
          kind,
          subjectId,
          grammar,
          group,
          purpose: 'propose',
          index: proposal.index,
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
        role,
        kind,
        subjectId,
        grammar,
        group,
        purpose: solution.purpose,
        index: solution.index,
        sample: attempt.sample,
        promptTokens: solution.promptTokens,
        completionTokens: completion.completionTokens,
        logProbs: completion.logProbs,
        reward: attempt.reward,
      });
    }
  }
  const ordered = settings.rowOrder === 'coordinates';
  if (ordered) rows.sort(byCoordinates);
  const { permutationSeed } = settings;
  const rewarded =
    permutationSeed === null
      ? rows
      : permuteSolverRewards(rows, permutationSeed, ordered ? undefined : bySubject);
  const { advantages, baselines } = advantageEstimators[settings.advantage](
    rewarded.map(({ group, subjectId, reward, completionTokens }) => ({
      group,
      prompt: subjectId,
      reward,
      tokens: completionTokens.length,
    })),
  );
  return {
    // Field by field: rest and spread of ten thousand rows an iteration were a third of a replay's time.
    samples: rewarded.map((row, i) => ({
      role: row.role,
      kind: row.kind,
      subjectId: row.subjectId,
      grammar: row.grammar,
      sample: row.sample,
      promptTokens: row.promptTokens,
      completionTokens: row.completionTokens,
      logProbs: row.logProbs,
      reward: row.reward,
      advantage: advantages[i] ?? 0,
      place: ordered ? i : null,
    })),
    baselines: baselines.map(({ group, count, mean, std }) => {
      const [role, kind] = group.split('.') as [Role, TaskKind];
      return { role, kind, count, mean, std };
    }),
  };
}

const PURPOSES: readonly BatchRow['purpose'][] = ['propose', 'learnability', 'solve'];

function byCoordinates(a: BatchRow, b: BatchRow): number {
  return (
    Number(a.role === 'solve') - Number(b.role === 'solve') ||
    TASK_KINDS.indexOf(a.kind) - TASK_KINDS.indexOf(b.kind) ||
    PURPOSES.indexOf(a.purpose) - PURPOSES.indexOf(b.purpose) ||
    a.index - b.index ||
    a.sample - b.sample
  );
}

function bySubject(a: BatchRow, b: BatchRow): number {
  if (a.subjectId === b.subjectId) return a.sample - b.sample;
  return a.subjectId < b.subjectId ? -1 : 1;
}
