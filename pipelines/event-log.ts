/**
 * The event log port: append facts, read exactly what a reference names, scan from offsets.
 *
 * A reference is small (it lives in Temporal histories) and exact: it names a run, an iteration and types within offset
 * ranges of one topic, with the count and the digest of that set.
 */
import type { AzrEvent, EventType } from '../schemas/generated/events.js';
import type { LogGap } from './range-reader.js';

/** Next offset by topic and partition; a partition that is not named starts at 0. */
export type Offsets = Readonly<Record<string, Readonly<Record<number, string>>>>;

export interface OffsetRange {
  readonly partition: number;
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
}

export interface EventReference {
  readonly topic: string;
  readonly ranges: readonly OffsetRange[];
  /** Which events within the ranges are meant. */
  readonly selector: {
    readonly runId: string;
    readonly iteration: number;
    readonly types: readonly EventType[];
  };
  readonly count: number;
  /** SHA-256 over the sorted ids and payload digests of the set. */
  readonly digest: string;
}

export interface LoggedEvent {
  readonly event: AzrEvent;
  readonly partition: number;
  readonly offset: string;
}

/** A message that is no event for this code, and why. */
export interface UnreadableMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly reason: string;
  readonly detail: string;
}

export interface StreamOptions {
  readonly filter?: (event: AzrEvent) => boolean;
  /** Default: such messages are passed over; the sink reports them (dead letters). */
  readonly onUnreadable?: (message: UnreadableMessage) => void;
  /** Default: a gap is thrown. */
  readonly onGap?: (gap: LogGap) => void;
}

export interface EventLog {
  /** Next offsets of the topics' partitions. */
  watermarks(topics: readonly string[]): Promise<Offsets>;
  /**
   * First write wins: events whose ids already stand behind `since` are not written again. All events must be of one run
   * and iteration.
   * @returns a reference per topic, in the order in which the topics first occur, to exactly this set.
   */
  append(events: readonly AzrEvent[], since: Offsets): Promise<readonly EventReference[]>;
  /**
   * The referenced set, duplicates by id dropped (the first wins).
   * @throws CorruptLogError where count or digest differ from the reference.
   */
  read(reference: EventReference): Promise<readonly AzrEvent[]>;
  /**
   * What stands from `from` to `to` (default: the log's end now) in one topic, in offset order within each partition.
   * @throws LogGapError where offsets in between are gone.
   */
  scan(
    topic: string,
    from: Offsets,
    to?: Offsets,
    filter?: (event: AzrEvent) => boolean,
  ): AsyncIterable<LoggedEvent>;
  /** What stands from `from` to `to` in one partition, in offset order, as many at a time as came together. @throws LogGapError. */
  stream(
    topic: string,
    partition: number,
    from: string,
    to: string,
    options?: StreamOptions,
  ): AsyncIterable<readonly LoggedEvent[]>;
  close(): Promise<void>;
}

/** The log does not hold what a reference says it holds. */
export class CorruptLogError extends Error {
  override readonly name = 'CorruptLogError';
}
