/** Where a run stands according to the log alone: what a resume without Temporal's memory starts from. */
import path from 'node:path';
import { eventTopics, topicOf } from './topics.js';
import type { EventLog, EventReference, Offsets } from './event-log.js';
import { UsageError } from '../src/config/errors.js';
import type { AzrEvent, EventDataByType } from '../schemas/generated/events.js';

export interface LoggedRun {
  readonly preset: string;
  readonly configJson: string;
  readonly configHash: string;
  /** Iterations completed. */
  readonly iteration: number;
  /** @param dataFolder under which the log's relative checkpoint folders lie. */
  state(dataFolder: string): LoggedRunState;
}

/** The same shape as a workflow's state. */
export interface LoggedRunState {
  readonly run: { readonly runId: string; readonly started: EventReference; readonly startOffsets: Offsets };
  readonly iteration: number;
  readonly checkpoint: { readonly version: number; readonly folder: string; readonly digest: string };
  readonly head: Offsets;
  readonly elapsedMs: number;
  readonly lastEvaluated: number;
  readonly pauses: number;
}

/** @returns undefined where the log holds no RunStarted, or no checkpoint yet, of that run. */
export async function runStateFromLog(log: EventLog, runId: string): Promise<LoggedRun | undefined> {
  const mine = (event: AzrEvent): boolean => event.envelope.runId === runId;
  let started: { data: EventDataByType['RunStarted']; partition: number; offset: string } | undefined;
  let completed: EventDataByType['IterationCompleted'] | undefined;
  let iteration = 0;
  let elapsedMs = 0;
  let pauses = 0;
  let forked = false;
  const begun = new Map<number, Offsets>();
  for await (const { event, partition, offset } of log.scan(topicOf('RunStarted'), {}, undefined, mine)) {
    if (event.type === 'RunStarted') started ??= { data: event.data, partition, offset };
    else if (event.type === 'RunForked') forked = true;
    else if (event.type === 'RunPaused') pauses += 1;
    else if (event.type === 'IterationStarted' && !begun.has(event.envelope.iteration))
      begun.set(event.envelope.iteration, JSON.parse(event.data.startOffsetsJson) as Offsets);
    else if (event.type === 'IterationCompleted' && event.envelope.iteration > iteration) {
      iteration = event.envelope.iteration;
      completed = event.data;
      elapsedMs += Object.values(JSON.parse(event.data.durationsJson) as Record<string, number>).reduce(
        (a, b) => a + b,
        0,
      );
    }
  }
  if (started === undefined) return undefined;
  if (started.data.parentRunId !== null && !forked)
    throw new UsageError(
      `run ${runId} is half a fork of ${started.data.parentRunId}: it was broken off; accepted is the same npx azr fork again, which completes it`,
    );
  const checkpoints = new Map<string, EventDataByType['CheckpointSaved']>();
  let warmUp: EventDataByType['CheckpointSaved'] | undefined;
  for await (const { event } of log.scan(topicOf('CheckpointSaved'), {}, undefined, mine))
    if (event.type === 'CheckpointSaved') {
      checkpoints.set(event.data.digest, event.data);
      if (event.data.warmUp) warmUp ??= event.data;
    }
  const saved = completed === undefined ? warmUp : checkpoints.get(completed.checkpointDigest);
  if (saved === undefined) return undefined;
  let lastEvaluated = -1;
  for await (const { event } of log.scan(topicOf('EvaluationCompleted'), {}, undefined, mine))
    if (event.type === 'EvaluationCompleted')
      lastEvaluated = Math.max(lastEvaluated, event.envelope.iteration);

  const { data, partition, offset } = started;
  // The run's facts lie behind its RunStarted in that topic, and anywhere in the others.
  const startOffsets: Offsets = { [topicOf('RunStarted')]: { [partition]: offset } };
  const [reference] = await log.append(
    await collect(
      log.scan(topicOf('RunStarted'), startOffsets, undefined, (e) => mine(e) && e.type === 'RunStarted'),
    ),
    startOffsets,
  );
  // An iteration that had begun goes on with the facts it has: they stand behind its own start.
  const head = begun.get(iteration + 1) ?? (await log.watermarks(eventTopics()));
  return {
    preset: data.preset,
    configJson: data.configJson,
    configHash: data.configHash,
    iteration,
    state: (dataFolder) => ({
      run: { runId, started: reference as EventReference, startOffsets },
      iteration,
      checkpoint: {
        version: saved.version,
        folder: path.join(dataFolder, saved.folder),
        digest: saved.digest,
      },
      head,
      elapsedMs,
      lastEvaluated,
      pauses,
    }),
  };
}

async function collect(events: AsyncIterable<{ event: AzrEvent }>): Promise<AzrEvent[]> {
  const list: AzrEvent[] = [];
  for await (const { event } of events) list.push(event);
  return list.slice(0, 1);
}
