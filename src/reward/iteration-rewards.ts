/**
 * Every reward of an iteration from its facts: pure, so that replay computes the same from the log.
 *
 * A proposal's learnability rests on the verdicts of its `learnability` rollouts. A proposal refused because it belongs
 * to the held-out part of the domain gets no reward at all: it must not reach a learner's batch.
 */
import type { EventDataByType } from '../../schemas/generated/events.js';
import type { Role, TaskKind } from '../tasks/types.js';
import {
  proposerReward,
  solverReward,
  type ProposalFate,
  type Reward,
  type RewardLevels,
} from './composite.js';
import type { CombineMethod } from './combine.js';
import {
  enabledTerms,
  intrinsicComponents,
  withIntrinsic,
  type IntrinsicSettings,
} from './intrinsic/components.js';
import { attemptAccuracy, meanAccuracy, type InductionRule } from './induction-accuracy.js';
import { learnability, type LearnabilityRule } from './learnability.js';

export interface IterationFacts {
  readonly proposals: readonly EventDataByType['ProposalSampled'][];
  readonly accepted: readonly EventDataByType['TaskAccepted'][];
  readonly rejected: readonly EventDataByType['TaskRejected'][];
  readonly solutions: readonly EventDataByType['SolutionSampled'][];
  readonly verdicts: readonly EventDataByType['SolutionVerified'][];
  /** Of accepted proposals; empty where no intrinsic term is enabled. */
  readonly intrinsics: readonly EventDataByType['IntrinsicsMeasured'][];
}

export interface RewardSettings extends RewardLevels {
  readonly learnability: LearnabilityRule;
  readonly induction: InductionRule;
  readonly intrinsic: IntrinsicSettings;
  readonly combine: CombineMethod;
}

export interface AssignedReward {
  readonly role: Role;
  readonly kind: TaskKind;
  /** A proposal's id or a group's. */
  readonly subjectId: string;
  readonly taskId: string | null;
  readonly attempts: readonly ({ readonly sample: number } & Reward)[];
}

export interface IterationRewards {
  readonly learnability: readonly EventDataByType['LearnabilityEstimated'][];
  readonly rewards: readonly AssignedReward[];
}

export const HELD_OUT_REASON = 'held-out';
const REPEATS: readonly string[] = ['duplicate', 'program-cap'];

export function iterationRewards(facts: IterationFacts, settings: RewardSettings): IterationRewards {
  const verdictOf = new Map(facts.verdicts.map((verdict) => [verdict.groupId, verdict]));

  const estimates: EventDataByType['LearnabilityEstimated'][] = [];
  const proposalOfTask = new Map(facts.accepted.map((task) => [task.taskId, task.proposalId]));
  for (const verdict of facts.verdicts) {
    const proposalId = proposalOfTask.get(verdict.taskId);
    if (verdict.purpose !== 'learnability' || proposalId === undefined || proposalId === null) continue;
    const kind = verdict.kind;
    const accuracy = meanAccuracy(kind, verdict.attempts, settings.induction);
    estimates.push({
      proposalId,
      taskId: verdict.taskId,
      kind: verdict.kind,
      samples: verdict.attempts.length,
      meanAccuracy: accuracy,
      learnability: learnability(accuracy, settings.learnability),
    });
  }

  const estimateOf = new Map(estimates.map((estimate) => [estimate.proposalId, estimate]));
  const acceptedBy = new Map(facts.accepted.map((task) => [task.proposalId, task]));
  const rejectedBy = new Map(facts.rejected.map((task) => [task.proposalId, task]));
  const measuresOf = new Map(facts.intrinsics.map(({ proposalId, measures }) => [proposalId, measures]));
  const rewards: AssignedReward[] = [];
  for (const proposal of facts.proposals) {
    const task = acceptedBy.get(proposal.proposalId);
    const rejection = rejectedBy.get(proposal.proposalId);
    if (rejection?.reason === HELD_OUT_REASON) continue;
    const estimate = estimateOf.get(proposal.proposalId);
    let fate: ProposalFate;
    if (task !== undefined)
      fate = { kind: 'valid', formatOk: task.formatOk, learnability: estimate?.learnability ?? 0 };
    else if (rejection?.formatOk !== true) fate = { kind: 'format-error' };
    else fate = { kind: REPEATS.includes(rejection.reason) ? 'repeat' : 'invalid' };
    const kind = proposal.kind;
    const terms =
      task === undefined || enabledTerms(kind, settings.intrinsic).length === 0
        ? []
        : intrinsicComponents(kind, measuresOf.get(proposal.proposalId) ?? [], settings.intrinsic);
    rewards.push({
      role: 'propose',
      kind,
      subjectId: proposal.proposalId,
      taskId: task?.taskId ?? null,
      attempts: [{ sample: 0, ...withIntrinsic(proposerReward(fate, settings), terms, settings.combine) }],
    });
  }

  for (const solution of facts.solutions) {
    const verdict = verdictOf.get(solution.groupId);
    if (verdict === undefined)
      throw new Error(`group ${solution.groupId} has solutions but no verdict in the log`);
    const kind = solution.kind;
    const shareOf = new Map(verdict.attempts.map((attempt) => [attempt.sample, attempt.accuracy]));
    rewards.push({
      role: 'solve',
      kind,
      subjectId: solution.groupId,
      taskId: solution.taskId,
      attempts: solution.attempts.map((attempt) => ({
        sample: attempt.sample,
        ...solverReward(
          attempt.formatOk,
          attemptAccuracy(kind, shareOf.get(attempt.sample) ?? 0, settings.induction),
          settings,
        ),
      })),
    });
  }
  return { learnability: estimates, rewards };
}
