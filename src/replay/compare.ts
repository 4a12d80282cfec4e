/** Recorded against recomputed, field by field. */

export interface Difference {
  readonly iteration: number;
  readonly check: string;
  /** The event's coordinates: its type and subject. */
  readonly subject: string;
  /** Path of the field within the event. */
  readonly field: string;
  readonly recorded: unknown;
  readonly recomputed: unknown;
}

/** Advantages and means are sums of floats; recomputed by the same code they are equal bit for bit. */
export function differences(
  recorded: unknown,
  recomputed: unknown,
  field = '',
): Omit<Difference, 'iteration' | 'check' | 'subject'>[] {
  if (same(recorded, recomputed)) return [];
  if (Array.isArray(recorded) && Array.isArray(recomputed)) {
    if (recorded.length !== recomputed.length)
      return [{ field: `${field}.length`, recorded: recorded.length, recomputed: recomputed.length }];
    return recorded.flatMap((item, i) => differences(item, recomputed[i], `${field}[${i}]`));
  }
  if (isObject(recorded) && isObject(recomputed)) {
    const keys = [...new Set([...Object.keys(recorded), ...Object.keys(recomputed)])];
    return keys.flatMap((key) =>
      differences(recorded[key], recomputed[key], field === '' ? key : `${field}.${key}`),
    );
  }
  return [{ field, recorded, recomputed }];
}

/** Whether there is no difference: the common case, which builds no paths and, over whole batches, no closures. */
function same(a: unknown, b: unknown): boolean {
  // Avro has one zero and JSON none: -0 and 0 are the same number.
  if (a === b || Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false;
    return true;
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) if (!Object.hasOwn(b, key) || !same(a[key], b[key])) return false;
  return true;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
