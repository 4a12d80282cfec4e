/**
 * The steps that workflows call, by the task queue that carries them out. src/activities/ implements them; workflow code
 * sees these types only. Every step is idempotent: its events' ids come from its coordinates, and a retry reads what the
 * first attempt wrote and does the rest.
 */
import type { BackendInfo } from '../src/policy/port.js';
import type { Interpreter } from '../src/sandbox/port.js';
import type {
  CheckpointRef,
  EventReference,
  IterationSummary,
  Offsets,
  RunRef,
  ScoreLine,
  SeedReport,
  StepContext,
} from './types.js';

export const TASK_QUEUES = {
  orchestrate: 'azr-orchestrate',
  rollout: 'azr-rollout',
  sandbox: 'azr-sandbox',
  learner: 'azr-learner',
  evaluate: 'azr-evaluate',
} as const;

export type LifecycleFact =
  | { readonly type: 'RunPaused'; readonly reason: string }
  | { readonly type: 'RunResumed'; readonly reason: string }
  | { readonly type: 'RunCompleted'; readonly iterations: number; readonly reason: string }
  | { readonly type: 'RunFailed'; readonly error: string; readonly step: string };

export interface OrchestrateSteps {
  /** Ensures the topics, records RunStarted. */
  startRun(input: {
    readonly runId: string;
    readonly preset: string;
    readonly configJson: string;
    readonly configHash: string;
    readonly originJson: string;
    /** What runs the programs. */
    readonly interpreter: Interpreter;
    /** What runs the policy. */
    readonly backend: BackendInfo;
  }): Promise<RunRef>;
  /** Records IterationStarted and answers where each topic stands. */
  startIteration(context: StepContext): Promise<{ readonly since: Offsets }>;
  /** Rewards, advantages and the learner's rows, computed from this iteration's facts. */
  reward(
    context: StepContext,
    facts: {
      readonly proposals: EventReference;
      readonly tasks: EventReference;
      readonly solutions: EventReference;
      readonly verdicts: EventReference;
    },
  ): Promise<{
    readonly batch: EventReference;
    readonly rows: number;
    readonly solveRates: Readonly<Record<string, number>>;
    readonly rewards: Readonly<Record<string, number>>;
  }>;
  /** Records IterationCompleted. */
  completeIteration(
    context: StepContext,
    outcome: { readonly checkpoint: CheckpointRef; readonly summary: IterationSummary },
  ): Promise<{ readonly head: Offsets }>;
  /** Records a fact of the run's life. `ordinal` tells repeated pauses of one run apart. */
  recordLifecycle(run: RunRef, iteration: number, ordinal: number, fact: LifecycleFact): Promise<void>;
}

export interface RolloutSteps {
  propose(context: StepContext): Promise<{ readonly proposals: EventReference }>;
  solve(
    context: StepContext,
    facts: { readonly tasks: EventReference },
  ): Promise<{ readonly solutions: EventReference }>;
}

export interface SandboxSteps {
  describeSandbox(): Promise<Interpreter>;
  /** Seed rows, or without any the built-in task, become tasks or rejections before the first iteration. */
  plantSeeds(run: RunRef, seeds: EventReference | null): Promise<SeedReport>;
  validate(
    context: StepContext,
    facts: { readonly proposals: EventReference },
  ): Promise<{ readonly tasks: EventReference; readonly accepted: number; readonly rejected: number }>;
  verify(
    context: StepContext,
    facts: { readonly tasks: EventReference; readonly solutions: EventReference },
  ): Promise<{ readonly verdicts: EventReference; readonly solutions: number }>;
}

export interface LearnerSteps {
  describeEngine(): Promise<BackendInfo>;
  /** Fresh weights and the warm-up: policy version 0. */
  warmUp(run: RunRef): Promise<{ readonly checkpoint: CheckpointRef }>;
  learn(
    context: StepContext,
    facts: { readonly batch: EventReference },
  ): Promise<{ readonly checkpoint: CheckpointRef }>;
}

export interface EvaluateSteps {
  evaluate(context: StepContext): Promise<{ readonly scores: readonly ScoreLine[] }>;
}
