/**
 * Replay: an iteration's programs run again, its verdicts, rewards and advantages computed again from the log alone, each
 * compared with what is recorded. Where a learner is given, its step too: checkpoint N = f(checkpoint N-1, batch, config).
 */
import type { EventLog } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { EventDataByType } from '../../schemas/generated/events.js';
import { bufferFactOf } from '../buffer/buffer-facts.js';
import type { BufferedTask } from '../buffer/task-buffer.js';
import { countTask, emptyTypeCounters } from '../buffer/type-counters.js';
import { checkRunConfig } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';
import { learnerBatch, learnerBatchSettings, type RowOrder } from '../learner/learner-batch.js';
import { iterationRewards, type IterationFacts } from '../reward/iteration-rewards.js';
import { enabledTerms } from '../reward/intrinsic/components.js';
import type { TaskMeasures } from '../reward/intrinsic/measure-tasks.js';
import { measuresFromLog } from '../reward/intrinsic/measures-from-log.js';
import { judgeMany, treesIn } from '../sandbox/index.js';
import { outcomeFields } from '../sandbox/outcome-fields.js';
import type { Sandbox } from '../sandbox/port.js';
import { judgeItems } from '../tasks/judge-items.js';
import { differences, type Difference } from './compare.js';
import { factsOf, readFacts, readRun, type RecordedFacts } from './recorded-iteration.js';

export const REPLAY_CHECKS = ['executions', 'verdicts', 'rewards', 'advantages', 'learner'] as const;
export type ReplayCheck = (typeof REPLAY_CHECKS)[number];

export interface CheckCount {
  readonly iteration: number;
  readonly check: ReplayCheck;
  /** Events compared. */
  readonly checked: number;
  readonly differ: number;
}

export interface ReplayReport {
  readonly run: string;
  readonly iterations: number;
  readonly counts: readonly CheckCount[];
  readonly differences: readonly Difference[];
}

export interface ReplayOptions {
  readonly from?: number;
  readonly to?: number;
  readonly checks: readonly ReplayCheck[];
  readonly sandbox: () => Promise<Sandbox>;
  /** Repeats a learner step; answers the digest of the checkpoint that it gives. */
  readonly relearn?: (
    config: RunConfig,
    iteration: number,
    step: EventDataByType['LearnerStepped'],
    samples: readonly EventDataByType['LearnerSample'][],
  ) => Promise<string>;
  readonly onIteration?: (iteration: number) => void;
}

export type ReplayResult =
  | { readonly kind: 'replayed'; readonly report: ReplayReport }
  | { readonly kind: 'unknown-run' }
  | { readonly kind: 'no-such-iteration'; readonly known: readonly number[] };

export async function replay(log: EventLog, runId: string, options: ReplayOptions): Promise<ReplayResult> {
  const run = await readRun(log, runId);
  if (run === undefined) return { kind: 'unknown-run' };
  const { config } = checkRunConfig(JSON.parse(run.started.configJson), `RunStarted of ${runId}`);
  const finished = run.iterations.filter((bounds) => bounds.completed);
  const wanted = finished.filter(
    ({ iteration }) =>
      iteration >= (options.from ?? 1) && iteration <= (options.to ?? Number.MAX_SAFE_INTEGER),
  );
  if (wanted.length === 0 || (options.from !== undefined && wanted[0]?.iteration !== options.from))
    return { kind: 'no-such-iteration', known: finished.map(({ iteration }) => iteration) };

  const tasks = await acceptedTasks(log, runId);
  const counts: CheckCount[] = [];
  const found: Difference[] = [];
  for (const bounds of wanted) {
    const facts = await readFacts(log, runId, bounds);
    for (const check of options.checks) {
      const outcome = await carryOut(check, { config, facts, tasks, iteration: bounds.iteration, options });
      const subjects = new Set(outcome.differences.map(({ subject }) => subject));
      counts.push({ iteration: bounds.iteration, check, checked: outcome.checked, differ: subjects.size });
      found.push(...outcome.differences.map((d) => ({ iteration: bounds.iteration, check, ...d })));
    }
    options.onIteration?.(bounds.iteration);
  }
  return {
    kind: 'replayed',
    report: { run: runId, iterations: wanted.length, counts, differences: found },
  };
}

interface CheckInput {
  readonly config: RunConfig;
  readonly facts: RecordedFacts;
  readonly tasks: ReadonlyMap<string, BufferedTask>;
  readonly iteration: number;
  readonly options: ReplayOptions;
}

interface CheckOutcome {
  readonly checked: number;
  readonly differences: readonly Omit<Difference, 'iteration' | 'check'>[];
}

async function carryOut(check: ReplayCheck, input: CheckInput): Promise<CheckOutcome> {
  switch (check) {
    case 'executions':
      return executions(input);
    case 'verdicts':
      return verdicts(input);
    case 'rewards':
      return rewards(input);
    case 'advantages':
      return advantages(input);
    case 'learner':
      return learner(input);
  }
}

async function executions({ facts, options }: CheckInput): Promise<CheckOutcome> {
  const recorded = factsOf(facts, 'ProgramExecuted');
  const sandbox = await options.sandbox();
  const results = await sandbox.runMany(
    recorded.map((execution) => ({
      id: execution.executionId,
      code: execution.code,
      inputs: execution.inputs,
      seeds: execution.seeds as 1 | 2 | 3,
    })),
  );
  return compareAll(
    recorded.map((execution) => ({
      key: execution.executionId,
      value: { outcomes: execution.outcomes, deterministic: execution.deterministic },
    })),
    results.map((result) => ({
      key: result.id,
      value: { outcomes: result.outcomes.map(outcomeFields), deterministic: result.deterministic },
    })),
    'ProgramExecuted',
  );
}

async function verdicts({ facts, tasks, options }: CheckInput): Promise<CheckOutcome> {
  const solutions = factsOf(facts, 'SolutionSampled');
  const judged = await judgeMany(
    await options.sandbox(),
    judgeItems(solutions, (solution) => {
      const task = tasks.get(solution.taskId);
      if (task === undefined) throw new Error(`the log lacks TaskAccepted of ${solution.taskId}`);
      return task;
    }),
  );
  const verdictOf = new Map(judged.verdicts.map((verdict) => [verdict.id, verdict]));
  return compareAll(
    factsOf(facts, 'SolutionVerified').map(({ groupId, attempts }) => ({
      key: groupId,
      value: { attempts },
    })),
    solutions.map(({ groupId, attempts }) => ({
      key: groupId,
      value: {
        attempts: attempts.map(({ sample }) => {
          const verdict = verdictOf.get(`${groupId}/${sample}`);
          return {
            sample,
            correct: verdict?.correct ?? false,
            accuracy: verdict?.accuracy ?? 0,
            reason: verdict?.reason ?? 'no-answer',
          };
        }),
      },
    })),
    'SolutionVerified',
  );
}

function iterationFacts(facts: RecordedFacts): IterationFacts {
  return {
    proposals: factsOf(facts, 'ProposalSampled'),
    accepted: factsOf(facts, 'TaskAccepted'),
    rejected: factsOf(facts, 'TaskRejected'),
    solutions: factsOf(facts, 'SolutionSampled'),
    verdicts: factsOf(facts, 'SolutionVerified'),
    intrinsics: factsOf(facts, 'IntrinsicsMeasured'),
  };
}

async function rewards(input: CheckInput): Promise<CheckOutcome> {
  const { config, facts } = input;
  const remeasured = await measures(input);
  const measured = compareAll(
    factsOf(facts, 'IntrinsicsMeasured').map((value) => ({ key: value.proposalId, value })),
    remeasured.map((value) => ({ key: value.proposalId, value })),
    'IntrinsicsMeasured',
  );
  // From what is recorded, so that a wrong measure is named once; a lost one is no reason to stop.
  const recorded = iterationFacts(facts);
  const known = new Set(recorded.intrinsics.map(({ proposalId }) => proposalId));
  const lost = remeasured.filter(({ proposalId }) => !known.has(proposalId));
  const recomputed = iterationRewards(
    { ...recorded, intrinsics: [...recorded.intrinsics, ...lost] },
    config.reward,
  );
  const estimates = compareAll(
    factsOf(facts, 'LearnabilityEstimated').map((value) => ({ key: value.proposalId, value })),
    recomputed.learnability.map((value) => ({ key: value.proposalId, value })),
    'LearnabilityEstimated',
  );
  const assigned = compareAll(
    factsOf(facts, 'RewardAssigned').map((value) => ({ key: value.subjectId, value })),
    recomputed.rewards.map((value) => ({ key: value.subjectId, value })),
    'RewardAssigned',
  );
  return {
    checked: measured.checked + estimates.checked + assigned.checked,
    differences: [...measured.differences, ...estimates.differences, ...assigned.differences],
  };
}

/** Measures of the recorded programs against counts of the tasks before. */
async function measures({
  config,
  facts,
  tasks,
  iteration,
  options,
}: CheckInput): Promise<readonly TaskMeasures[]> {
  const settings = config.reward.intrinsic;
  const accepted = factsOf(facts, 'TaskAccepted');
  if (!accepted.some(({ kind }) => enabledTerms(kind, settings).length > 0)) return [];
  const counters = emptyTypeCounters();
  for (const task of tasks.values()) if (task.iteration < iteration) countTask(counters, task);
  return measuresFromLog(
    { proposals: factsOf(facts, 'ProposalSampled'), accepted },
    { counters, programOf: (id) => tasks.get(id)?.originalCode },
    settings,
    async (codes) => treesIn(await options.sandbox())(codes),
  );
}

/** From the recorded rewards, so that a wrong reward is named once, as a reward. */
function advantages({ config, facts, iteration }: CheckInput): CheckOutcome {
  const recorded = iterationFacts(facts);
  const learned = factsOf(facts, 'LearnerSample');
  const { samples, baselines } = learnerBatch(
    recorded,
    factsOf(facts, 'RewardAssigned'),
    learnerBatchSettings(config, iteration, rowOrderOf(learned)),
  );
  const rows = compareAll(
    learned.map(({ batchId: _batch, sampleId: _sample, ...value }) => ({
      key: `${value.subjectId}/${value.sample}`,
      value,
    })),
    samples.map((value) => ({ key: `${value.subjectId}/${value.sample}`, value })),
    'LearnerSample',
  );
  const header = factsOf(facts, 'LearnerBatchPrepared').map(
    ({ batchId, rows: count, baselines: recordedBaselines }) => ({
      key: batchId,
      value: { rows: count, baselines: recordedBaselines },
    }),
  );
  const batches = compareAll(
    header,
    header.map(({ key }) => ({ key, value: { rows: samples.length, baselines } })),
    'LearnerBatchPrepared',
  );
  return {
    checked: rows.checked + batches.checked,
    differences: [...rows.differences, ...batches.differences],
  };
}

/** A batch recorded in version 1 keeps the order of its time. */
export function rowOrderOf(samples: readonly EventDataByType['LearnerSample'][]): RowOrder {
  return samples.length > 0 && samples.every(({ place }) => place === null) ? 'facts' : 'coordinates';
}

async function learner({ config, facts, iteration, options }: CheckInput): Promise<CheckOutcome> {
  const steps = factsOf(facts, 'LearnerStepped');
  const { relearn } = options;
  if (relearn === undefined) throw new TypeError('relearn is missing; the check `learner` needs it');
  const recomputed: Keyed[] = [];
  for (const step of steps)
    recomputed.push({
      key: step.batchId,
      value: { digest: await relearn(config, iteration, step, factsOf(facts, 'LearnerSample')) },
    });
  return compareAll(
    steps.map(({ batchId, digest }) => ({ key: batchId, value: { digest } })),
    recomputed,
    'LearnerStepped',
  );
}

interface Keyed {
  readonly key: string;
  readonly value: unknown;
}

function compareAll(recorded: readonly Keyed[], recomputed: readonly Keyed[], type: string): CheckOutcome {
  const other = new Map(recomputed.map(({ key, value }) => [key, value]));
  const known = new Set(recorded.map(({ key }) => key));
  const found = recorded.flatMap(({ key, value }) =>
    differences(value, other.get(key)).map((difference) => ({ subject: `${type} ${key}`, ...difference })),
  );
  const missing = recomputed
    .filter(({ key }) => !known.has(key))
    .map(({ key, value }) => ({
      subject: `${type} ${key}`,
      field: '',
      recorded: undefined,
      recomputed: value,
    }));
  return { checked: recorded.length, differences: [...found, ...missing] };
}

async function acceptedTasks(log: EventLog, runId: string): Promise<Map<string, BufferedTask>> {
  const tasks = new Map<string, BufferedTask>();
  for await (const { event } of log.scan(
    topicOf('TaskAccepted'),
    {},
    undefined,
    (candidate) => candidate.envelope.runId === runId && candidate.type === 'TaskAccepted',
  )) {
    if (event.type !== 'TaskAccepted' || tasks.has(event.data.taskId)) continue;
    const accepted = bufferFactOf(event);
    if (accepted?.type === 'accepted') tasks.set(event.data.taskId, accepted.task);
  }
  return tasks;
}
