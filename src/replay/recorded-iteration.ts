/** An iteration's facts, read back from the log: from where it started to where the next one did. */
import type { EventLog, Offsets } from '../../pipelines/event-log.js';
import { eventTopics, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType, EventType } from '../../schemas/generated/events.js';

export interface RecordedRun {
  readonly runId: string;
  readonly started: EventDataByType['RunStarted'];
  /** By iteration, ascending. */
  readonly iterations: readonly RecordedIterationBounds[];
}

export interface RecordedIterationBounds {
  readonly iteration: number;
  readonly from: Offsets;
  /** Absent for the newest iteration: to the log's end. */
  readonly to: Offsets | undefined;
  readonly completed: boolean;
}

export type RecordedFacts = Map<EventType, AzrEvent[]>;

/** @returns undefined where the log has no RunStarted of that run. */
export async function readRun(log: EventLog, runId: string): Promise<RecordedRun | undefined> {
  let started: EventDataByType['RunStarted'] | undefined;
  const bounds = new Map<number, Offsets>();
  const completed = new Set<number>();
  const ofRun = (event: AzrEvent): boolean => event.envelope.runId === runId;
  for await (const { event } of log.scan(topicOf('RunStarted'), {}, undefined, ofRun)) {
    const { iteration } = event.envelope;
    if (event.type === 'RunStarted') started ??= event.data;
    else if (event.type === 'IterationStarted' && !bounds.has(iteration))
      bounds.set(iteration, JSON.parse(event.data.startOffsetsJson) as Offsets);
    else if (event.type === 'IterationCompleted') completed.add(iteration);
  }
  if (started === undefined) return undefined;
  const numbers = [...bounds.keys()].sort((a, b) => a - b);
  return {
    runId,
    started,
    iterations: numbers.map((iteration, i) => {
      const next = numbers[i + 1];
      return {
        iteration,
        from: bounds.get(iteration) ?? {},
        to: next === undefined ? undefined : bounds.get(next),
        completed: completed.has(iteration),
      };
    }),
  };
}

/** Every fact of one iteration by type, first write wins. */
export async function readFacts(
  log: EventLog,
  runId: string,
  bounds: RecordedIterationBounds,
): Promise<RecordedFacts> {
  const facts: RecordedFacts = new Map();
  const seen = new Set<string>();
  const mine = (event: AzrEvent): boolean =>
    event.envelope.runId === runId && event.envelope.iteration === bounds.iteration;
  for (const topic of eventTopics()) {
    // The iteration's last facts may lie behind the next one's start in the topics of evaluations and of the run.
    for await (const { event } of log.scan(topic, bounds.from, bounds.to, mine)) {
      if (seen.has(event.envelope.eventId)) continue;
      seen.add(event.envelope.eventId);
      const list = facts.get(event.type) ?? [];
      list.push(event);
      facts.set(event.type, list);
    }
  }
  return facts;
}

export function factsOf<T extends EventType>(facts: RecordedFacts, type: T): EventDataByType[T][] {
  return (facts.get(type) ?? []).map((event) => event.data as EventDataByType[T]);
}
