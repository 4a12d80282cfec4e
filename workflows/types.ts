/**
 * What passes between workflows and steps: references, never data.
 *
 * A history holds where the facts stand in the log (topic, offset range, count, digest); the facts themselves stay in
 * Kafka. All of this is JSON of a few hundred bytes.
 */
import type { EventReference, Offsets } from '../pipelines/event-log.js';
import type { BackendInfo, CheckpointRef } from '../src/policy/port.js';

export type { CheckpointRef, EventReference, Offsets };

/** A run: its configuration stands in the RunStarted event that `started` points at. */
export interface RunRef {
  readonly runId: string;
  readonly started: EventReference;
  /** Where each topic stood when the run began: its events all lie behind. */
  readonly startOffsets: Offsets;
}

/** The coordinates of a step: what ids and seeds are derived from. */
export interface Place {
  readonly run: Pick<RunRef, 'runId'>;
  readonly iteration: number;
}

/** A step's place, and what it may read. */
export interface StepContext extends Place {
  readonly run: RunRef;
  readonly checkpoint: CheckpointRef;
  /** Where each topic stood when the iteration began: a retried step finds its own earlier events behind. */
  readonly since: Offsets;
  /** Kinds that are proposed; absent: those of the configuration. */
  readonly kinds?: readonly string[];
  /** Seeding: all pairs are one pool, whichever kind they were proposed as (buffer/seed-pool.ts). */
  readonly seeding?: boolean;
}

export interface SeedReport {
  /** Rows of all files. */
  readonly rows: number;
  /** Rows that tasks were made of. */
  readonly accepted: number;
  /** Refused rows by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** The published seeding loop: proposals of an unchanged policy, until enough of them are tasks. */
export interface SeedingRunInput {
  readonly runId: string;
  readonly preset: string;
  readonly configJson: string;
  readonly configHash: string;
  readonly originJson: string;
  /** Rows wanted of pairs, and of induction tasks. */
  readonly rows: number;
}

export interface SeedingResult {
  readonly runId: string;
  readonly rounds: number;
  readonly pairs: number;
  readonly inductions: number;
}

export interface RunSchedule {
  readonly iterations: number;
  readonly minutes: number | null;
  readonly evaluateEvery: number;
  readonly continueAsNewEvery: number;
}

export interface SelfPlayRunInput {
  readonly runId: string;
  readonly preset: string;
  readonly configJson: string;
  readonly configHash: string;
  /** Where the configuration comes from, as JSON; absent from runs that began before it was recorded. */
  readonly originJson?: string;
  readonly schedule: RunSchedule;
  /** Rows of seed files (SeedRowRead); absent: the run starts from the built-in task. */
  readonly seeds?: EventReference;
  /** Absent at the first start; carried over by continue-as-new and by resume. */
  readonly state?: RunState;
}

export interface RunState {
  readonly run: RunRef;
  /** Iterations completed. */
  readonly iteration: number;
  readonly checkpoint: CheckpointRef;
  /** Where each topic stood when the last iteration ended. */
  readonly head: Offsets;
  /** Milliseconds spent in self-play so far. */
  readonly elapsedMs: number;
  /** The iteration last evaluated; -1 before the first evaluation. */
  readonly lastEvaluated: number;
  /** Pauses so far: tells their events apart. */
  readonly pauses: number;
  /** What the progress query says beside it: handed on from history to history. Absent in runs of before. */
  readonly told?: Told;
}

export interface Told {
  /** What runs the policy; null before it is known. */
  readonly backend: BackendInfo | null;
  /** Of the iteration last done. */
  readonly lastIteration: IterationSummary | null;
  /** Of the last evaluation. */
  readonly scores: readonly ScoreLine[];
}

export type RunStatus =
  'starting' | 'warming-up' | 'running' | 'paused' | 'stopping' | 'completed' | 'failed';

export interface RunProgress extends Told {
  readonly runId: string;
  readonly status: RunStatus;
  readonly iteration: number;
  readonly iterations: number;
  /** The step under way. */
  readonly step: string;
  readonly checkpointVersion: number;
}

export interface ScoreLine {
  readonly iteration: number;
  readonly kind: string;
  readonly bucket: string;
  readonly count: number;
  readonly correct: number;
}

export interface IterationInput {
  readonly context: StepContext;
}

export interface IterationSummary {
  readonly proposals: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly solutions: number;
  readonly rows: number;
  /** Mean accuracy of the solver's attempts, by kind. */
  readonly solveRates: Readonly<Record<string, number>>;
  /** Mean reward by role and kind. */
  readonly rewards: Readonly<Record<string, number>>;
  /** Milliseconds by step. */
  readonly durations: Readonly<Record<string, number>>;
}

export interface IterationResult {
  readonly checkpoint: CheckpointRef;
  readonly head: Offsets;
  readonly summary: IterationSummary;
}

export interface RunResult {
  readonly runId: string;
  readonly iterations: number;
  readonly checkpoint: CheckpointRef;
  readonly reason: 'iterations' | 'minutes' | 'stopped';
}
