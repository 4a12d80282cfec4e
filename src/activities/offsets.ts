import type { EventReference, Offsets } from '../../pipelines/event-log.js';

/** `offsets` moved behind the referenced set. */
export function after(offsets: Offsets, reference: EventReference): Offsets {
  const moved = { ...offsets[reference.topic] };
  for (const { partition, to } of reference.ranges)
    if (BigInt(to) > BigInt(moved[partition] ?? '0')) moved[partition] = to;
  return { ...offsets, [reference.topic]: moved };
}
