/**
 * A run small enough to be known by heart: each iteration proposes five tasks, accepts three, tries them. Rewards and
 * learner rows come from the pure functions that the steps use.
 *
 *   task          learnability rollouts     solver's attempts
 *   x + 1  at 2   3, 3, 4, none   -> 1/2    3, 3      -> 1
 *   x * 2  at 4   7, 7, 7, 7      -> 0
 *   x - 1  -> 4   5, 5, 5, 6      -> 3/4    5, none   -> 1/2
 */
import type { Offsets } from '../../pipelines/event-log.js';
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import type { ResolvedRunConfig } from '../../src/config/presets.js';
import { learnerBatch, learnerBatchSettings } from '../../src/learner/learner-batch.js';
import { iterationRewards } from '../../src/reward/iteration-rewards.js';
import { event, type Place } from './events.js';

type Data = EventDataByType;
type Kind = 'deduction' | 'abduction';

export function runStarted(runId: string, { preset, config, json, hash }: ResolvedRunConfig): AzrEvent {
  return event(
    'RunStarted',
    { runId, iteration: 0 },
    [],
    {
      preset,
      configJson: json,
      configHash: hash,
      seed: config.seed,
      parentRunId: null,
      parentIteration: null,
      interpreterVersion: '3.11.2',
      interpreterPlatform: 'linux-x86_64',
      libc: 'glibc 2.36',
      isolation: 'isolated',
      policyBackend: 'none',
      policyLibrary: 'none',
      initialCheckpointDigest: null,
      originJson: JSON.stringify({ preset }),
    },
    { policyVersion: null },
  );
}

interface Plan {
  readonly kind: Kind;
  readonly code: string;
  readonly input: string;
  readonly output: string;
  readonly rollouts: readonly (string | null)[];
  readonly attempts: readonly (string | null)[];
}

const program = (expression: string): string => `def f(x):\n    return ${expression}`;
const PLANS: readonly Plan[] = [
  {
    kind: 'deduction',
    code: program('x + 1'),
    input: '2',
    output: '3',
    rollouts: ['3', '3', '4', null],
    attempts: ['3', '3'],
  },
  {
    kind: 'deduction',
    code: program('x * 2'),
    input: '4',
    output: '8',
    rollouts: ['7', '7', '7', '7'],
    attempts: [],
  },
  {
    kind: 'abduction',
    code: program('x - 1'),
    input: '5',
    output: '4',
    rollouts: ['5', '5', '5', '6'],
    attempts: ['5', null],
  },
];

/** What is right: the gold output, or an input that gives it. */
const rightAnswer = ({ kind, input, output }: Plan): string => (kind === 'deduction' ? output : input);

/** Every event of an iteration, in the order of the steps. */
export function iterationEvents(
  runId: string,
  iteration: number,
  { config }: ResolvedRunConfig,
  startOffsets: Offsets,
): AzrEvent[] {
  const place: Place = { runId, iteration };
  const id = (...parts: readonly (string | number)[]): string => [runId, iteration, ...parts].join('/');
  const proposals: Data['ProposalSampled'][] = [];
  const accepted: Data['TaskAccepted'][] = [];
  const rejected: Data['TaskRejected'][] = [];
  const solutions: Data['SolutionSampled'][] = [];
  const verdicts: Data['SolutionVerified'][] = [];
  const executions: Data['ProgramExecuted'][] = [];

  const propose = (kind: Kind, index: number, completionText: string): string => {
    const proposalId = id('proposal', kind, index);
    proposals.push({
      proposalId,
      kind,
      index,
      templateVersion: 'synthetic',
      promptText: null,
      promptTokens: [1, 2],
      referenceTaskIds: [],
      completionText,
      completionTokens: [3, 4, 5],
      logProbs: [-0.5, -0.25, -1],
      finish: 'end',
      seed: index,
      temperature: 1,
      programTaskId: null,
      programSource: null,
      compositeTaskIds: [],
    });
    return proposalId;
  };
  const run = (
    subjectId: string,
    purpose: 'validate' | 'verify',
    code: string,
    values: Record<string, string>,
  ): void => {
    executions.push({
      executionId: id('execution', purpose, subjectId),
      purpose,
      subjectId,
      code,
      inputs: Object.keys(values),
      outcomes: Object.values(values).map((text) => ({ kind: 'value', text, error: null, message: null })),
      deterministic: true,
      seeds: 2,
      cpuMicros: 1_000,
      maxRssKiB: 9_000,
      interpreterVersion: '3.11.2',
      interpreterPlatform: 'linux-x86_64',
      libc: 'glibc 2.36',
    });
  };
  const attempt = (
    plan: Plan,
    index: number,
    purpose: 'learnability' | 'solve',
    answers: Plan['rollouts'],
  ): void => {
    const [groupId, taskId] = [id('group', purpose, plan.kind, index), id('task', plan.kind, index)];
    solutions.push({
      groupId,
      taskId,
      kind: plan.kind,
      purpose,
      index,
      templateVersion: 'synthetic',
      promptText: null,
      promptTokens: [6],
      givenPairs: [],
      hiddenPairs: [],
      temperature: 1,
      attempts: answers.map((answer, sample) => ({
        sample,
        seed: sample,
        completionText: answer ?? '',
        completionTokens: [7, sample],
        logProbs: [-0.125, -2],
        finish: answer === null ? 'length' : 'end',
        thought: null,
        answer,
        formatOk: answer !== null,
      })),
    });
    verdicts.push({
      groupId,
      taskId,
      kind: plan.kind,
      purpose,
      attempts: answers.map((answer, sample) => {
        const correct = answer === rightAnswer(plan);
        const reason = correct ? 'correct' : answer === null ? 'no-answer' : 'wrong';
        return { sample, correct, accuracy: correct ? 1 : 0, reason };
      }),
    });
  };

  const counts = new Map<Kind, number>();
  const next = (kind: Kind): number => {
    const index = counts.get(kind) ?? 0;
    counts.set(kind, index + 1);
    return index;
  };
  for (const plan of PLANS) {
    const { kind, code, input, output } = plan;
    const index = next(kind);
    const proposalId = propose(kind, index, code);
    run(proposalId, 'validate', code, { [input]: output });
    accepted.push({
      taskId: id('task', kind, index),
      proposalId,
      origin: 'proposal',
      kind,
      index,
      code,
      originalCode: code,
      inputs: [input],
      outputs: [output],
      message: null,
      imports: [],
      thought: null,
      compositeTaskIds: [],
      referenceTaskIds: [],
      formatOk: true,
    });
    attempt(plan, index, 'learnability', plan.rollouts);
    if (plan.attempts.length > 0) attempt(plan, index, 'solve', plan.attempts);
    if (kind === 'abduction') run(proposalId, 'verify', code, { 5: '4', 6: '5' });
  }
  for (const [reason, formatOk] of [
    ['duplicate', true],
    ['no-program', false],
  ] as const) {
    const index = next('deduction');
    const proposalId = propose('deduction', index, reason);
    rejected.push({
      subjectId: proposalId,
      proposalId,
      origin: 'proposal',
      kind: 'deduction',
      index,
      reason,
      detail: reason,
      formatOk,
      code: null,
      sourceLine: null,
    });
  }

  const facts = { proposals, accepted, rejected, solutions, verdicts, intrinsics: [] };
  const { learnability, rewards } = iterationRewards(facts, config.reward);
  const { samples, baselines } = learnerBatch(facts, rewards, learnerBatchSettings(config, iteration));
  const batchId = id('batch');
  const [parentDigest, digest] = [`digest-${iteration - 1}`, `digest-${iteration}`];
  return [
    event('IterationStarted', place, [], {
      checkpointVersion: iteration - 1,
      checkpointDigest: parentDigest,
      startOffsetsJson: JSON.stringify(startOffsets),
    }),
    ...proposals.map((data) => event('ProposalSampled', place, [data.proposalId], data)),
    ...executions.map((data) => event('ProgramExecuted', place, [data.executionId], data)),
    ...accepted.map((data) => event('TaskAccepted', place, [data.taskId], data)),
    ...rejected.map((data) => event('TaskRejected', place, [data.subjectId], data)),
    ...solutions.map((data) => event('SolutionSampled', place, [data.groupId], data)),
    ...verdicts.map((data) => event('SolutionVerified', place, [data.groupId], data)),
    ...learnability.map((data) => event('LearnabilityEstimated', place, [data.proposalId], data)),
    ...rewards.map((data) => event('RewardAssigned', place, [data.subjectId], data)),
    event('LearnerBatchPrepared', place, [batchId], {
      batchId,
      rows: samples.length,
      advantageEstimator: config.learner.advantage,
      baselines,
    }),
    ...samples.map((row) =>
      event('LearnerSample', place, [row.subjectId, row.sample], {
        batchId,
        sampleId: id('row', row.subjectId, row.sample),
        ...row,
      }),
    ),
    event('LearnerStepped', place, [batchId], {
      batchId,
      parentVersion: iteration - 1,
      parentDigest,
      version: iteration,
      digest,
      backend: 'none',
      loss: 0.25,
      gradNorm: 0.5,
      entropy: 1.5,
      approxKl: 0.001,
      clipFraction: 0.125,
      tokens: 40,
      rows: samples.length,
      groupsJson: '{}',
      durationMs: 20,
    }),
    event('CheckpointSaved', place, [iteration], {
      version: iteration,
      folder: `checkpoints/${runId}/v${iteration}`,
      digest,
      parentDigest,
      bytes: 4_096,
      warmUp: false,
    }),
    event('EvaluationCompleted', place, ['held-out'], {
      evaluationId: id('evaluation'),
      checkpointVersion: iteration,
      checkpointDigest: digest,
      benchmark: 'held-out.v1',
      scores: [
        { kind: 'deduction', bucket: '1', count: 10, correct: 8 },
        { kind: 'deduction', bucket: '2', count: 10, correct: 4 },
        { kind: 'abduction', bucket: '1', count: 20, correct: 10 + iteration },
      ],
      durationMs: 30,
    }),
    event('IterationCompleted', place, [], {
      proposals: proposals.length,
      accepted: accepted.length,
      rejected: rejected.length,
      solutions: solutions.reduce((sum, { attempts }) => sum + attempts.length, 0),
      rows: samples.length,
      meanSolveRate: 0.5,
      solveRatesJson: JSON.stringify({ deduction: 0.4, abduction: 0.6 }),
      rewardsJson: '{}',
      durationsJson: JSON.stringify({ propose: 100, solve: 250, learn: 50 }),
      checkpointVersion: iteration,
      checkpointDigest: digest,
    }),
  ];
}
