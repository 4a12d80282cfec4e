/**
 * From an old version's meaning to the newest one's, where schema resolution alone is not enough. A new version that
 * renames or re-reads a field adds one entry here and golden bytes in tests/golden/events.
 */
import type { EventType } from '../schemas/generated/events.js';

type Upcaster = (data: Record<string, unknown>) => Record<string, unknown>;

/** By type, then by the version that was written. */
const UPCASTERS: Partial<Record<EventType, Record<number, Upcaster>>> = {};

export function upcast(type: EventType, version: number, data: object): object {
  const upcaster = UPCASTERS[type]?.[version];
  return upcaster === undefined ? data : upcaster(data as Record<string, unknown>);
}
