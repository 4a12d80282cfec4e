/**
 * Replay: an iteration's programs run again, its verdicts, rewards and advantages computed again from the log alone, each
 * compared with what is recorded. Where a learner is given, its step too: checkpoint N = f(checkpoint N-1, batch, config).
 *
 * `log` is checked always: that each iteration is there, that its messages can be read, and that there are as many facts
 * as it counted when it ended. What is missing is named there, and the other checks go on with what is left.
 *
 * The log is read once, in order; several iterations are worked on at a time. Memory holds those and the run's tasks, as
 * the buffer of a running iteration does.
 */
import type { EventLog } from '../../pipelines/event-log.js';
import type { EventDataByType, EventType } from '../../schemas/generated/events.js';
import { countTask, emptyTypeCounters } from '../buffer/type-counters.js';
import { checkRunConfig } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';
import { learnerBatch, learnerBatchSettings, type RowOrder } from '../learner/learner-batch.js';
import { iterationRewards, type AssignedReward, type IterationFacts } from '../reward/iteration-rewards.js';
import { enabledTerms, type IntrinsicSettings } from '../reward/intrinsic/components.js';
import type { TaskMeasures, TreesOf } from '../reward/intrinsic/measure-tasks.js';
import { measuresFromLog } from '../reward/intrinsic/measures-from-log.js';
import { judgeMany, treesIn } from '../sandbox/index.js';
import { outcomeFields } from '../sandbox/outcome-fields.js';
import type { Sandbox } from '../sandbox/port.js';
import { judgeItems } from '../tasks/judge-items.js';
import { differences, type Difference } from './compare.js';
import { KnownTasks } from './known-tasks.js';
import {
  factsOf,
  readRun,
  recordedIterations,
  type RecordedFacts,
  type RecordedIteration,
  type RecordedRun,
} from './recorded-iteration.js';

export const REPLAY_CHECKS = ['executions', 'verdicts', 'rewards', 'advantages', 'learner'] as const;
export type ReplayCheck = (typeof REPLAY_CHECKS)[number];

/** What a check reads. */
const TYPES_OF: Readonly<Record<ReplayCheck, readonly EventType[]>> = {
  executions: ['ProgramExecuted'],
  verdicts: ['TaskAccepted', 'SolutionSampled', 'SolutionVerified'],
  rewards: [
    'ProposalSampled',
    'TaskAccepted',
    'TaskRejected',
    'IntrinsicsMeasured',
    'SolutionSampled',
    'SolutionVerified',
    'LearnabilityEstimated',
    'RewardAssigned',
  ],
  advantages: [
    'ProposalSampled',
    'SolutionSampled',
    'RewardAssigned',
    'LearnerBatchPrepared',
    'LearnerSample',
  ],
  learner: ['LearnerSample', 'LearnerStepped'],
};

export interface CheckCount {
  readonly iteration: number;
  readonly check: ReplayCheck | 'log';
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
  /** Iterations worked on at a time; default 1. */
  readonly jobs?: number;
  /** After each iteration: those that are done, those that are wanted, differences so far. */
  readonly onProgress?: (done: number, wanted: number, differ: number) => void;
}

export type ReplayResult =
  | { readonly kind: 'replayed'; readonly report: ReplayReport }
  | { readonly kind: 'unknown-run' }
  | { readonly kind: 'no-such-iteration'; readonly known: readonly number[] };

export async function replay(log: EventLog, runId: string, options: ReplayOptions): Promise<ReplayResult> {
  const { checks, jobs = 1 } = options;
  const selected = await selectIterations(log, runId, options);
  if (selected.kind !== 'selected') return selected;
  const { config, run, wanted } = selected;

  const types = new Set(checks.flatMap((check) => TYPES_OF[check]));
  const tasks = new KnownTasks();
  if (types.has('TaskAccepted')) await tasks.readBefore(log, runId, wanted[0]);
  const counts: CheckCount[] = [];
  const found: Difference[] = missingIterations(run, wanted);
  let done = 0;
  const working: Promise<readonly (readonly [CheckCount, readonly Difference[]])[]>[] = [];
  const settle = async (most: number): Promise<void> => {
    while (working.length > most)
      for (const [count, differing] of (await working.shift()) ?? []) {
        counts.push(count);
        found.push(...differing);
      }
  };
  const learning = { turn: Promise.resolve() };
  try {
    for await (const recorded of recordedIterations(log, runId, wanted, types)) {
      tasks.add(recorded.facts);
      const work = iterationChecks({ config, recorded, tasks, options, learning });
      // Awaited in their order; one that fails meanwhile fails the replay then.
      work.catch(() => undefined);
      working.push(work);
      await settle(jobs - 1);
      done += 1;
      options.onProgress?.(done, wanted.length, found.length);
    }
    await settle(0);
  } finally {
    await Promise.allSettled(working);
  }
  return {
    kind: 'replayed',
    report: { run: runId, iterations: wanted.length, counts, differences: found },
  };
}

export type SelectedIterations =
  | {
      readonly kind: 'selected';
      readonly config: RunConfig;
      readonly run: RecordedRun;
      readonly wanted: RecordedRun['iterations'];
    }
  | Exclude<ReplayResult, { kind: 'replayed' }>;

/** The completed iterations from `from` to `to` of a run, and its configuration. */
export async function selectIterations(
  log: EventLog,
  runId: string,
  { from, to }: Pick<ReplayOptions, 'from' | 'to'>,
): Promise<SelectedIterations> {
  const run = await readRun(log, runId);
  if (run === undefined) return { kind: 'unknown-run' };
  const { config } = checkRunConfig(JSON.parse(run.started.configJson), `RunStarted of ${runId}`);
  const finished = run.iterations.filter(({ completed }) => completed !== undefined);
  const wanted = finished.filter(
    ({ iteration }) => iteration >= (from ?? 1) && iteration <= (to ?? Number.MAX_SAFE_INTEGER),
  );
  if (wanted.length === 0 || (from !== undefined && wanted[0]?.iteration !== from))
    return { kind: 'no-such-iteration', known: finished.map(({ iteration }) => iteration) };
  return { kind: 'selected', config, run, wanted };
}

/** Iterations that must be there, since a later one is: without an end, or without any trace in the topic of the run. */
function missingIterations({ iterations }: RecordedRun, wanted: RecordedRun['iterations']): Difference[] {
  const [first, last] = [wanted[0]?.iteration ?? 1, wanted.at(-1)?.iteration ?? 0];
  const missing: Difference[] = [];
  for (let iteration = first; iteration <= last; iteration++) {
    if (wanted.some((one) => one.iteration === iteration)) continue;
    const begun = iterations.some((one) => one.iteration === iteration);
    missing.push({
      iteration,
      check: 'log',
      subject: begun ? 'IterationCompleted' : 'IterationStarted',
      field: '',
      recorded: undefined,
      recomputed: `iteration ${last} is completed, so iteration ${iteration} was`,
    });
  }
  return missing;
}

interface CheckInput {
  readonly config: RunConfig;
  readonly recorded: RecordedIteration;
  readonly tasks: KnownTasks;
  readonly options: ReplayOptions;
  /** The learner's steps come one after the other, whatever else goes on at a time. */
  readonly learning: { turn: Promise<void> };
}

interface CheckOutcome {
  readonly checked: number;
  readonly differences: readonly Omit<Difference, 'iteration' | 'check'>[];
}

async function iterationChecks(
  input: CheckInput,
): Promise<readonly (readonly [CheckCount, readonly Difference[]])[]> {
  const { iteration } = input.recorded;
  const outcomes: (readonly [CheckCount, readonly Difference[]])[] = [];
  const add = (check: CheckCount['check'], { checked, differences: differing }: CheckOutcome): void => {
    const subjects = new Set(differing.map(({ subject }) => subject));
    outcomes.push([
      { iteration, check, checked, differ: subjects.size },
      differing.map((difference) => ({ iteration, check, ...difference })),
    ]);
  };
  add('log', completeness(input));
  const asked = REPLAY_CHECKS.filter((check) => input.options.checks.includes(check));
  let recomputed: readonly AssignedReward[] | undefined;
  for (const check of asked)
    switch (check) {
      case 'executions':
        add(check, await executions(input));
        break;
      case 'verdicts':
        add(check, await verdicts(input));
        break;
      case 'rewards': {
        const { outcome, assigned } = await rewards(input);
        add(check, outcome);
        recomputed = assigned;
        break;
      }
      case 'advantages':
        add(check, advantages(input, recomputed));
        break;
      case 'learner':
        add(check, await learner(input));
        break;
    }
  return outcomes;
}

/** Unreadable stretches, and facts against the numbers with which the iteration ended. Checked: its facts. */
function completeness({ recorded: { facts, damage, completed }, options }: CheckInput): CheckOutcome {
  const read = new Set(options.checks.flatMap((check) => TYPES_OF[check]));
  const events = (type: EventType): number => facts.get(type)?.length ?? 0;
  const attempts = factsOf(facts, 'SolutionSampled').reduce((sum, { attempts: a }) => sum + a.length, 0);
  const found: readonly (readonly [keyof IterationCounts, EventType, number])[] = [
    ['proposals', 'ProposalSampled', events('ProposalSampled')],
    ['accepted', 'TaskAccepted', events('TaskAccepted')],
    ['rejected', 'TaskRejected', events('TaskRejected')],
    ['solutions', 'SolutionSampled', attempts],
    ['rows', 'LearnerSample', events('LearnerSample')],
  ];
  const counted = found.flatMap(([field, type, recomputed]) => {
    const recorded = completed?.[field];
    if (!read.has(type) || recorded === undefined || recorded === recomputed) return [];
    return [{ subject: `IterationCompleted (${type})`, field, recorded, recomputed }];
  });
  return {
    checked: [...facts.values()].reduce((sum, list) => sum + list.length, 0),
    differences: [
      ...damage.map(({ place, detail }) => ({
        subject: place,
        field: '',
        recorded: undefined,
        recomputed: detail,
      })),
      ...counted,
    ],
  };
}

type IterationCounts = Pick<
  EventDataByType['IterationCompleted'],
  'proposals' | 'accepted' | 'rejected' | 'solutions' | 'rows'
>;

async function executions({ recorded: { facts }, options }: CheckInput): Promise<CheckOutcome> {
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

async function verdicts({ recorded: { facts }, tasks, options }: CheckInput): Promise<CheckOutcome> {
  const sampled = factsOf(facts, 'SolutionSampled');
  const solutions = sampled.filter(({ taskId }) => tasks.get(taskId) !== undefined);
  const judged = await judgeMany(
    await options.sandbox(),
    judgeItems(solutions, ({ taskId }) => tasks.of(taskId)),
  );
  const verdictOf = new Map(judged.verdicts.map((verdict) => [verdict.id, verdict]));
  const lost = sampled
    .filter(({ taskId }) => tasks.get(taskId) === undefined)
    .map(({ groupId, taskId }) => lacking(`SolutionVerified ${groupId}`, `TaskAccepted of ${taskId}`));
  const { checked, differences: differing } = compareAll(
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
  return { checked, differences: [...lost, ...differing.filter(({ subject }) => !isLost(lost, subject))] };
}

/** What cannot be recomputed, since the log lacks what it rests on. */
const lacking = (subject: string, what: string): CheckOutcome['differences'][number] => ({
  subject,
  field: '',
  recorded: 'recorded',
  recomputed: `not computed: the log lacks ${what}`,
});

const isLost = (lost: CheckOutcome['differences'], subject: string): boolean =>
  lost.some((one) => one.subject === subject);

export function iterationFacts(facts: RecordedFacts): IterationFacts {
  return {
    proposals: factsOf(facts, 'ProposalSampled'),
    accepted: factsOf(facts, 'TaskAccepted'),
    rejected: factsOf(facts, 'TaskRejected'),
    solutions: factsOf(facts, 'SolutionSampled'),
    verdicts: factsOf(facts, 'SolutionVerified'),
    intrinsics: factsOf(facts, 'IntrinsicsMeasured'),
  };
}

/** @returns with the comparison what the rewards should be, as far as the log tells. */
async function rewards(
  input: CheckInput,
): Promise<{ readonly outcome: CheckOutcome; readonly assigned: readonly AssignedReward[] }> {
  const { config, tasks } = input;
  const { facts, iteration } = input.recorded;
  const recorded = iterationFacts(facts);
  const trees = async (): Promise<TreesOf> => treesIn(await input.options.sandbox());
  const remeasured = await remeasure(recorded, tasks, iteration, config.reward.intrinsic, trees);
  const measured = compareAll(
    factsOf(facts, 'IntrinsicsMeasured').map((value) => ({ key: value.proposalId, value })),
    remeasured.map((value) => ({ key: value.proposalId, value })),
    'IntrinsicsMeasured',
  );
  // From what is recorded, so that a wrong measure is named once; a lost one is no reason to stop.
  const known = new Set(recorded.intrinsics.map(({ proposalId }) => proposalId));
  const lost = remeasured.filter(({ proposalId }) => !known.has(proposalId));
  const judged = new Set(recorded.verdicts.map(({ groupId }) => groupId));
  const unjudged = recorded.solutions
    .filter(({ groupId }) => !judged.has(groupId))
    .map(({ groupId }) => lacking(`RewardAssigned ${groupId}`, `SolutionVerified of ${groupId}`));
  const recomputed = iterationRewards(
    {
      ...recorded,
      solutions: recorded.solutions.filter(({ groupId }) => judged.has(groupId)),
      intrinsics: [...recorded.intrinsics, ...lost],
    },
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
  const outcome = {
    checked: measured.checked + estimates.checked + assigned.checked,
    differences: [
      ...measured.differences,
      ...estimates.differences,
      ...unjudged,
      ...assigned.differences.filter(({ subject }) => !isLost(unjudged, subject)),
    ],
  };
  return { outcome, assigned: recomputed.rewards };
}

/** Measures of the iteration's programs against counts of the tasks before, under any configuration. */
export async function remeasure(
  { proposals, accepted }: IterationFacts,
  tasks: KnownTasks,
  iteration: number,
  settings: IntrinsicSettings,
  trees: () => Promise<TreesOf>,
): Promise<readonly TaskMeasures[]> {
  if (!accepted.some(({ kind }) => enabledTerms(kind, settings).length > 0)) return [];
  const counters = emptyTypeCounters();
  for (const task of tasks.all()) if (task.iteration < iteration) countTask(counters, task);
  return measuresFromLog(
    { proposals, accepted },
    { counters, programOf: (id) => tasks.get(id)?.originalCode },
    settings,
    async (codes) => (await trees())(codes),
  );
}

/**
 * From the recorded rewards; where rows differ from what follows from those, and follow from the recomputed ones, it is the
 * record of the reward that is wrong, which the check of the rewards has named.
 */
function advantages(input: CheckInput, recomputed: readonly AssignedReward[] | undefined): CheckOutcome {
  const outcome = advantagesFrom(input, factsOf(input.recorded.facts, 'RewardAssigned'));
  if (outcome.differences.length === 0 || recomputed === undefined) return outcome;
  const other = advantagesFrom(input, recomputed);
  return other.differences.length < outcome.differences.length ? other : outcome;
}

function advantagesFrom(
  { config, recorded: { facts, iteration } }: CheckInput,
  assigned: readonly AssignedReward[],
): CheckOutcome {
  const recorded = iterationFacts(facts);
  const learned = factsOf(facts, 'LearnerSample');
  const { samples, baselines } = learnerBatch(
    recorded,
    assigned,
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

async function learner({
  config,
  recorded: { facts, iteration },
  options,
  learning,
}: CheckInput): Promise<CheckOutcome> {
  const { relearn } = options;
  if (relearn === undefined) throw new TypeError('relearn is missing; the check `learner` needs it');
  const steps = factsOf(facts, 'LearnerStepped');
  const work = learning.turn.then(async () => {
    const recomputed: Keyed[] = [];
    for (const step of steps) {
      const digest = await relearn(config, iteration, step, factsOf(facts, 'LearnerSample')).catch(
        (error: unknown) => {
          // A parent that is missing or damaged says nothing about the other steps.
          if ((error as Error).name === 'CorruptCheckpointError')
            return `not computed: ${(error as Error).message}`;
          throw error;
        },
      );
      recomputed.push({ key: step.batchId, value: { digest } });
    }
    return compareAll(
      steps.map(({ batchId, digest }) => ({ key: batchId, value: { digest } })),
      recomputed,
      'LearnerStepped',
    );
  });
  learning.turn = work.then(
    () => undefined,
    () => undefined,
  );
  return work;
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
