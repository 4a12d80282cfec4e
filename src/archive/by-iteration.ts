/**
 * Several streams of events as one, by ascending iteration: a k-way merge that holds one event a stream. Each stream goes
 * on in its own order; an event whose iteration is lower than the one before it comes at once.
 */
import type { EventLog, LoggedEvent, Offsets } from '../../pipelines/event-log.js';
import type { AzrEvent } from '../../schemas/generated/events.js';

export async function* mergeByIteration<T extends { readonly event: AzrEvent }>(
  streams: readonly AsyncIterable<T>[],
): AsyncGenerator<T> {
  const open: { iterator: AsyncIterator<T>; head: T }[] = [];
  try {
    for (const stream of streams) {
      const iterator = stream[Symbol.asyncIterator]();
      const first = await iterator.next();
      if (first.done !== true) open.push({ iterator, head: first.value });
    }
    while (open.length > 0) {
      let lowest = 0;
      for (const [i, { head }] of open.entries())
        if (head.event.envelope.iteration < (open[lowest]?.head.event.envelope.iteration ?? 0)) lowest = i;
      const source = open[lowest];
      if (source === undefined) return;
      yield source.head;
      const next = await source.iterator.next();
      if (next.done === true) open.splice(lowest, 1);
      else source.head = next.value;
    }
  } finally {
    for (const { iterator } of open) await iterator.return?.();
  }
}

/** A topic's wanted events up to `to`, as a stream a partition: what the merge takes. */
export function partitionStreams(
  log: EventLog,
  topic: string,
  to: Offsets,
  wanted: (event: AzrEvent) => boolean,
): AsyncIterable<LoggedEvent>[] {
  const ends = to[topic] ?? {};
  return Object.keys(ends).map((partition) => {
    const others = Object.fromEntries(Object.entries(ends).filter(([key]) => key !== partition));
    return log.scan(topic, { [topic]: others }, to, wanted);
  });
}
