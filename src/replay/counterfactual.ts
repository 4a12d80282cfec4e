/**
 * Rewards and advantages of a run under another configuration, from the log alone: the recorded samples and verdicts, other
 * terms, another combination, another estimator. What the policy would have sampled after other updates is not asked.
 *
 * Another `reward.validProgramFilter` leaves out the recorded attempts at tasks that it would have taken out of the buffer
 * in an earlier iteration; attempts that would have been made in their place are not known.
 */
import type { EventLog } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import { passesFilter } from '../buffer/valid-program-filter.js';
import type { RunConfig } from '../config/run.js';
import { idOf } from '../coordinates.js';
import { learnerBatch, learnerBatchSettings } from '../learner/learner-batch.js';
import type { RewardComponent } from '../reward/composite.js';
import { meanAccuracy } from '../reward/induction-accuracy.js';
import type { TreesOf } from '../reward/intrinsic/measure-tasks.js';
import { measuresSuffice } from '../reward/intrinsic/measures-from-log.js';
import { iterationRewards } from '../reward/iteration-rewards.js';
import type { Role, TaskKind } from '../tasks/types.js';
import { ChangeCounts, type ChangeReport } from './change-counts.js';
import { counterfactualConfig, type CounterfactualConfig, type Wanted } from './counterfactual-config.js';
import { KnownTasks } from './known-tasks.js';
import {
  factsOf,
  recordedIterations,
  type RecordedFacts,
  type RecordedIteration,
} from './recorded-iteration.js';
import { iterationFacts, remeasure, rowOrderOf, selectIterations, type ReplayResult } from './replay.js';

/** An attempt's place, and the id of the event that says so in the record, or would. */
interface AttemptPlace {
  readonly iteration: number;
  readonly eventId: string;
  readonly role: Role;
  readonly kind: TaskKind;
  readonly subjectId: string;
  readonly taskId: string | null;
  readonly sample: number;
}

export interface CounterfactualReward extends AttemptPlace {
  /** Null where the record has none, or the counterfactual. */
  readonly recordedReward: number | null;
  readonly reward: number | null;
  readonly components: readonly RewardComponent[];
}

export interface CounterfactualAdvantage extends AttemptPlace {
  readonly recordedReward: number | null;
  readonly reward: number | null;
  readonly recordedAdvantage: number | null;
  readonly advantage: number | null;
}

export interface CounterfactualReport extends ChangeReport {
  readonly run: string;
  /** Digest of the configuration. */
  readonly counterfactual: string;
  readonly firstIteration: number;
  readonly lastIteration: number;
  readonly changes: CounterfactualConfig['changes'];
  readonly withoutEffect: readonly string[];
  readonly keptAsRecorded: readonly string[];
  /** Stretches of the log that could not be read; what rests on them is not in the numbers. */
  readonly damage: RecordedIteration['damage'];
}

export interface CounterfactualOptions {
  readonly from?: number;
  readonly to?: number;
  readonly wanted: Wanted;
  /** Where measures are wanted that the run did not take. */
  readonly trees: () => Promise<TreesOf>;
  /** An iteration's rows. */
  readonly onRows?: (
    counterfactualId: string,
    rewards: readonly CounterfactualReward[],
    advantages: readonly CounterfactualAdvantage[],
  ) => Promise<void>;
  readonly onProgress?: (done: number, wanted: number) => void;
}

export type CounterfactualResult =
  | {
      readonly kind: 'computed';
      readonly config: CounterfactualConfig;
      readonly report: CounterfactualReport;
    }
  | Exclude<ReplayResult, { kind: 'replayed' }>;

/** @throws UsageError where the configuration changes what was sampled (counterfactual-config.ts). */
export async function counterfactual(
  log: EventLog,
  runId: string,
  options: CounterfactualOptions,
): Promise<CounterfactualResult> {
  const selected = await selectIterations(log, runId, options);
  if (selected.kind !== 'selected') return selected;
  const { run, wanted: iterations, config: recordedConfig } = selected;
  const config = counterfactualConfig(run.started.configJson, options.wanted);
  const [first, last] = [iterations[0], iterations.at(-1)];
  if (first === undefined || last === undefined) throw new TypeError('no iteration is selected');

  const tasks = new KnownTasks();
  await tasks.readBefore(log, runId, first);
  const refused = new RefusedTasks(config.config);
  await refused.readBefore(log, runId, first);
  const counts = new ChangeCounts();
  const damage: CounterfactualReport['damage'][number][] = [];
  let done = 0;
  for await (const recorded of recordedIterations(log, runId, iterations, TYPES)) {
    tasks.add(recorded.facts);
    damage.push(...recorded.damage);
    const { rewards, advantages } = await recompute(runId, recorded, {
      recordedConfig,
      config: config.config,
      tasks,
      refused,
      trees: options.trees,
    });
    refused.add(recorded.facts);
    counts.addRewards(rewards);
    counts.addAdvantages(advantages);
    await options.onRows?.(config.id, rewards, advantages);
    done += 1;
    options.onProgress?.(done, iterations.length);
  }
  return {
    kind: 'computed',
    config,
    report: {
      run: runId,
      counterfactual: config.id,
      firstIteration: first.iteration,
      lastIteration: last.iteration,
      changes: config.changes,
      withoutEffect: config.withoutEffect,
      keptAsRecorded: config.keptAsRecorded,
      damage,
      ...counts.report(),
    },
  };
}

const TYPES = new Set([
  'ProposalSampled',
  'TaskAccepted',
  'TaskRejected',
  'IntrinsicsMeasured',
  'SolutionSampled',
  'SolutionVerified',
  'RewardAssigned',
  'LearnerSample',
] as const);

/** Tasks that the filter takes out of the buffer once their rollouts are judged. */
class RefusedTasks {
  readonly #config: RunConfig;
  readonly #ids = new Set<string>();

  constructor(config: RunConfig) {
    this.#config = config;
  }

  async readBefore(
    log: EventLog,
    runId: string,
    bounds: Parameters<KnownTasks['readBefore']>[2],
  ): Promise<void> {
    if (this.#config.reward.validProgramFilter === 'all') return;
    const ofRun = (event: AzrEvent): boolean => event.envelope.runId === runId;
    const topic = topicOf('SolutionVerified');
    for await (const { event } of log.scan(topic, {}, bounds?.from ?? {}, ofRun))
      if (event.type === 'SolutionVerified') this.#judge(event.data);
  }

  add(facts: RecordedFacts): void {
    for (const verdict of factsOf(facts, 'SolutionVerified')) this.#judge(verdict);
  }

  #judge({ purpose, kind, taskId, attempts }: EventDataByType['SolutionVerified']): void {
    const { validProgramFilter, induction } = this.#config.reward;
    if (
      purpose === 'learnability' &&
      !passesFilter(meanAccuracy(kind, attempts, induction), validProgramFilter)
    )
      this.#ids.add(taskId);
  }

  has(taskId: string | null): boolean {
    return taskId !== null && this.#ids.has(taskId);
  }
}

interface Under {
  readonly recordedConfig: RunConfig;
  readonly config: RunConfig;
  readonly tasks: KnownTasks;
  /** By iterations before. */
  readonly refused: RefusedTasks;
  readonly trees: () => Promise<TreesOf>;
}

async function recompute(
  runId: string,
  { iteration, facts }: RecordedIteration,
  { recordedConfig, config, tasks, refused, trees }: Under,
): Promise<{ rewards: CounterfactualReward[]; advantages: CounterfactualAdvantage[] }> {
  const recorded = iterationFacts(facts);
  const judged = new Set(recorded.verdicts.map(({ groupId }) => groupId));
  const solutions = recorded.solutions.filter(
    ({ groupId, purpose, taskId }) =>
      judged.has(groupId) && (purpose === 'learnability' || !refused.has(taskId)),
  );
  const { intrinsic } = config.reward;
  const intrinsics = measuresSuffice(recordedConfig.reward.intrinsic, intrinsic)
    ? recorded.intrinsics
    : await remeasure(recorded, tasks, iteration, intrinsic, trees);
  const assigned = iterationRewards({ ...recorded, solutions, intrinsics }, config.reward).rewards;
  const learned = factsOf(facts, 'LearnerSample');
  const batch = learnerBatch(
    recorded,
    assigned,
    learnerBatchSettings(config, iteration, rowOrderOf(learned)),
  );

  const recordedRewards = factsOf(facts, 'RewardAssigned');
  const taskOf = new Map(
    [...recordedRewards, ...assigned].map(({ subjectId, taskId }) => [subjectId, taskId]),
  );
  const rewards = paired(recordedRewards.flatMap(attemptsOf), assigned.flatMap(attemptsOf)).map(
    ([before, after]): CounterfactualReward => {
      const { role, kind, subjectId, taskId, sample } = (after ?? before) as Attempt;
      return {
        iteration,
        eventId: idOf(runId, iteration, 'RewardAssigned', subjectId),
        role,
        kind,
        subjectId,
        taskId,
        sample,
        recordedReward: before?.reward ?? null,
        reward: after?.reward ?? null,
        components: after?.components ?? [],
      };
    },
  );
  const advantages = paired(learned, batch.samples).map(([before, after]): CounterfactualAdvantage => {
    const { role, kind, subjectId, sample } = (after ?? before) as (typeof batch.samples)[number];
    const taskId = taskOf.get(subjectId) ?? null;
    return {
      iteration,
      eventId: idOf(runId, iteration, 'LearnerSample', subjectId, sample),
      role,
      kind,
      subjectId,
      taskId,
      sample,
      recordedReward: before?.reward ?? null,
      reward: after?.reward ?? null,
      recordedAdvantage: before?.advantage ?? null,
      advantage: after?.advantage ?? null,
    };
  });
  return { rewards, advantages };
}

type Assigned = EventDataByType['RewardAssigned'];
type Attempt = Omit<Assigned, 'attempts'> & Assigned['attempts'][number];

const attemptsOf = ({ attempts, ...subject }: Assigned): Attempt[] =>
  attempts.map((attempt) => ({ ...subject, ...attempt }));

interface Attempted {
  readonly subjectId: string;
  readonly sample: number;
}

/** By subject and sample, those of the record first. */
function paired<A extends Attempted, B extends Attempted>(
  before: readonly A[],
  after: readonly B[],
): (readonly [A | undefined, B | undefined])[] {
  const key = ({ subjectId, sample }: Attempted): string => `${subjectId} ${sample}`;
  const others = new Map(after.map((one) => [key(one), one]));
  const pairs = before.map((one): readonly [A, B | undefined] => {
    const other = others.get(key(one));
    others.delete(key(one));
    return [one, other];
  });
  return [...pairs, ...[...others.values()].map((one): readonly [undefined, B] => [undefined, one])];
}
