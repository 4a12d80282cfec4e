/**
 * A run's facts read back from the log, an iteration at a time: from where it started to where the next one did. Each
 * partition is read once, in order, whatever the number of iterations; held is what one iteration has.
 */
import type { EventLog, LoggedEvent, Offsets, UnreadableMessage } from '../../pipelines/event-log.js';
import { gapText, type LogGap } from '../../pipelines/range-reader.js';
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
  /** What it counted when it ended; absent where it did not. */
  readonly completed: EventDataByType['IterationCompleted'] | undefined;
}

export type RecordedFacts = Map<EventType, AzrEvent[]>;

export interface RecordedIteration {
  readonly iteration: number;
  readonly completed: EventDataByType['IterationCompleted'] | undefined;
  /** By type, first write wins. */
  readonly facts: RecordedFacts;
  /** What of its stretch of the log cannot be read: places and reasons. */
  readonly damage: readonly Damage[];
}

export interface Damage {
  /** `topic/partition/offset`. */
  readonly place: string;
  readonly detail: string;
}

/** @returns undefined where the log has no RunStarted of that run. */
export async function readRun(log: EventLog, runId: string): Promise<RecordedRun | undefined> {
  let started: EventDataByType['RunStarted'] | undefined;
  const bounds = new Map<number, Offsets>();
  const completed = new Map<number, EventDataByType['IterationCompleted']>();
  const ofRun = (event: AzrEvent): boolean => event.envelope.runId === runId;
  for await (const { event } of log.scan(topicOf('RunStarted'), {}, undefined, ofRun)) {
    const { iteration } = event.envelope;
    if (event.type === 'RunStarted') started ??= event.data;
    else if (event.type === 'IterationStarted' && !bounds.has(iteration))
      bounds.set(iteration, JSON.parse(event.data.startOffsetsJson) as Offsets);
    else if (event.type === 'IterationCompleted' && !completed.has(iteration))
      completed.set(iteration, event.data);
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
        completed: completed.get(iteration),
      };
    }),
  };
}

/**
 * The iterations, each with its facts of the given types.
 * @param iterations consecutive ones of readRun, ascending.
 */
export async function* recordedIterations(
  log: EventLog,
  runId: string,
  iterations: readonly RecordedIterationBounds[],
  types: ReadonlySet<EventType>,
): AsyncGenerator<RecordedIteration> {
  const [first, last] = [iterations[0], iterations.at(-1)];
  if (first === undefined || last === undefined) return;
  const topics = eventTopics().filter((topic) => [...types].some((type) => topicOf(type) === topic));
  const ends = last.to ?? (await log.watermarks(topics));
  const streams = topics.flatMap((topic) =>
    Object.entries(ends[topic] ?? {}).map(
      ([partition, to]) =>
        new PartitionStream(log, topic, Number(partition), first.from[topic]?.[Number(partition)] ?? '0', to),
    ),
  );
  try {
    for (const { iteration, to = ends, completed } of iterations) {
      const facts: RecordedFacts = new Map();
      const damage: Damage[] = [];
      const seen = new Set<string>();
      const parts = await Promise.all(
        streams.map((stream) => stream.upTo(to[stream.topic]?.[stream.partition] ?? '0')),
      );
      for (const part of parts) {
        damage.push(...part.damage);
        for (const event of part.events) {
          const { envelope, type } = event;
          if (envelope.runId !== runId || envelope.iteration !== iteration || !types.has(type)) continue;
          if (seen.has(envelope.eventId)) continue;
          seen.add(envelope.eventId);
          const list = facts.get(type);
          if (list === undefined) facts.set(type, [event]);
          else list.push(event);
        }
      }
      yield { iteration, completed, facts, damage };
    }
  } finally {
    for (const stream of streams) await stream.close();
  }
}

/** A partition read piece by piece: what stands before an offset, then what stands before a later one. */
class PartitionStream {
  readonly topic: string;
  readonly partition: number;
  readonly #chunks: AsyncIterator<readonly LoggedEvent[]>;
  /** Read together, and how many of them were handed out. */
  #chunk: readonly LoggedEvent[] = [];
  #taken = 0;
  /** With its first offset and the one behind its last. */
  #damage: (Damage & { readonly from: bigint; readonly to: bigint })[] = [];
  #done = false;

  constructor(log: EventLog, topic: string, partition: number, from: string, to: string) {
    [this.topic, this.partition] = [topic, partition];
    const options = {
      onUnreadable: ({ offset, reason, detail }: UnreadableMessage) =>
        this.#damage.push({
          place: `${topic}/${partition}/${offset}`,
          from: BigInt(offset),
          to: BigInt(offset) + 1n,
          detail: `cannot be read: ${reason}: ${detail}`,
        }),
      onGap: (gap: LogGap) =>
        this.#damage.push({
          place: `${topic}/${partition}/${gap.from}`,
          from: gap.from,
          to: gap.to,
          detail: `the log has a gap: ${gapText(gap)}`,
        }),
    };
    this.#chunks = log.stream(topic, partition, from, to, options)[Symbol.asyncIterator]();
  }

  async upTo(end: string): Promise<{ events: AzrEvent[]; damage: Damage[] }> {
    const before = BigInt(end);
    const events: AzrEvent[] = [];
    for (;;) {
      const next = this.#chunk[this.#taken];
      if (next !== undefined) {
        if (BigInt(next.offset) >= before) break;
        events.push(next.event);
        this.#taken += 1;
      } else if (this.#done) break;
      else {
        const read = await this.#chunks.next();
        this.#done = read.done === true;
        this.#chunk = read.done === true ? [] : read.value;
        this.#taken = 0;
      }
    }
    const mine = this.#damage.filter(({ from }) => from < before);
    // A gap may go on in what comes next.
    this.#damage = this.#damage.filter(({ to }) => to > before);
    return { events, damage: mine.map(({ place, detail }) => ({ place, detail })) };
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

export function factsOf<T extends EventType>(facts: RecordedFacts, type: T): EventDataByType[T][] {
  return (facts.get(type) ?? []).map((event) => event.data as EventDataByType[T]);
}
