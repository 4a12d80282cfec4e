/** What an earlier attempt of the same step already wrote: first write wins, the retry does the rest. */
import type { EventLog, Offsets } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventType } from '../../schemas/generated/events.js';

export async function earlierFacts<T extends EventType>(
  log: EventLog,
  type: T,
  at: { readonly runId: string; readonly iteration: number },
  since: Offsets,
): Promise<Extract<AzrEvent, { type: T }>[]> {
  const found: Extract<AzrEvent, { type: T }>[] = [];
  const seen = new Set<string>();
  const mine = (event: AzrEvent): boolean =>
    event.type === type && event.envelope.runId === at.runId && event.envelope.iteration === at.iteration;
  for await (const { event } of log.scan(topicOf(type), since, undefined, mine)) {
    if (seen.has(event.envelope.eventId)) continue;
    seen.add(event.envelope.eventId);
    found.push(event as Extract<AzrEvent, { type: T }>);
  }
  return found;
}
