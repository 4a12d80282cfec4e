/** Events of a step: ids from coordinates, envelopes from the context. */
import { idOf } from '../coordinates.js';
import type { AzrEvent, Envelope, EventDataByType, EventType } from '../../schemas/generated/events.js';
import type { StepContext } from '../../workflows/types.js';

export interface FactOrigin {
  readonly runId: string;
  readonly iteration: number;
  readonly policyVersion: number | null;
  readonly codeVersion: string;
}

export function originOf(context: StepContext, codeVersion: string): FactOrigin {
  return {
    runId: context.run.runId,
    iteration: context.iteration,
    policyVersion: context.checkpoint.version,
    codeVersion,
  };
}

/**
 * @param subject what the fact is about: with the run, the iteration and the type it makes the event's id.
 * @param causationId the event or subject that led to it.
 */
export function fact<T extends EventType>(
  origin: FactOrigin,
  type: T,
  subject: readonly (string | number)[],
  data: EventDataByType[T],
  causationId: string | null = null,
): AzrEvent {
  const { runId, iteration, policyVersion, codeVersion } = origin;
  const envelope: Envelope = {
    eventId: idOf(runId, iteration, type, ...subject),
    runId,
    iteration,
    correlationId: idOf(runId, iteration),
    causationId,
    policyVersion,
    occurredAt: Date.now(),
    codeVersion,
  };
  return { type, envelope, data } as unknown as AzrEvent;
}

/** The events of one type among others. */
export function dataOf<T extends EventType>(events: readonly AzrEvent[], type: T): EventDataByType[T][] {
  const found: EventDataByType[T][] = [];
  for (const event of events) if (event.type === type) found.push(event.data as EventDataByType[T]);
  return found;
}
