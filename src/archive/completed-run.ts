/** What the log says of a run's completed iterations and of the checkpoints with which they ended. */
import type { EventLog } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import { UsageError } from '../config/errors.js';

export interface SavedCheckpoint {
  readonly event: AzrEvent;
  readonly data: EventDataByType['CheckpointSaved'];
}

export interface CompletedRun {
  readonly runId: string;
  readonly started: EventDataByType['RunStarted'];
  /** Ascending. */
  readonly completed: readonly number[];
  /** Digest of the checkpoint with which an iteration ended. */
  readonly digestAt: ReadonlyMap<number, string>;
  readonly checkpoints: readonly SavedCheckpoint[];
  elapsedMs(upTo: number): number;
}

/** @returns undefined where the log has no RunStarted of that run. */
export async function completedRun(log: EventLog, runId: string): Promise<CompletedRun | undefined> {
  const mine = (event: AzrEvent): boolean => event.envelope.runId === runId;
  let started: EventDataByType['RunStarted'] | undefined;
  const digestAt = new Map<number, string>();
  const durations = new Map<number, number>();
  for await (const { event } of log.scan(topicOf('RunStarted'), {}, undefined, mine)) {
    if (event.type === 'RunStarted') started ??= event.data;
    if (event.type !== 'IterationCompleted' || digestAt.has(event.envelope.iteration)) continue;
    digestAt.set(event.envelope.iteration, event.data.checkpointDigest);
    const steps = Object.values(JSON.parse(event.data.durationsJson) as Record<string, number>);
    durations.set(
      event.envelope.iteration,
      steps.reduce((sum, ms) => sum + ms, 0),
    );
  }
  if (started === undefined) return undefined;
  const checkpoints: SavedCheckpoint[] = [];
  for await (const { event } of log.scan(topicOf('CheckpointSaved'), {}, undefined, mine))
    if (event.type === 'CheckpointSaved') checkpoints.push({ event, data: event.data });
  return {
    runId,
    started,
    completed: [...digestAt.keys()].sort((a, b) => a - b),
    digestAt,
    checkpoints,
    elapsedMs: (upTo) => [...durations].reduce((sum, [i, ms]) => (i <= upTo ? sum + ms : sum), 0),
  };
}

/**
 * The iteration that is asked for, by default the newest; 0 is after the warm-up.
 * @throws UsageError where the run did not complete it.
 */
export function completedIteration({ runId, completed }: CompletedRun, asked: number | undefined): number {
  const newest = completed.at(-1) ?? 0;
  const iteration = asked ?? newest;
  if (iteration !== 0 && !completed.includes(iteration))
    throw new UsageError(
      `iteration is ${iteration}; accepted are completed iterations of ${runId}: 0 to ${newest}`,
    );
  return iteration;
}

/** The checkpoint with which an iteration ended. @throws UsageError where the log has none. */
export function checkpointAt(run: CompletedRun, iteration: number): SavedCheckpoint {
  const wanted = run.digestAt.get(iteration);
  const at = run.checkpoints.find(({ data }) => (iteration === 0 ? data.warmUp : data.digest === wanted));
  if (at !== undefined) return at;
  const { parentRunId, parentIteration } = run.started;
  throw new UsageError(
    `the log has no CheckpointSaved of ${run.runId} at iteration ${iteration}; accepted is ${parentRunId === null ? 'an iteration that has one' : `an iteration from ${parentIteration ?? 0} on, or a fork of its parent ${parentRunId}`}`,
  );
}
