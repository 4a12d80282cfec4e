/**
 * Several streams of events as one, by ascending iteration: a k-way merge that holds one event a stream. Each stream goes
 * on in its own order; an event whose iteration is lower than the one before it comes at once.
 */
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
