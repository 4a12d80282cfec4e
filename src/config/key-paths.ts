/** Dotted keys, as in `learner.optimiser.betas`: of values, and of the schema that checks them. */
import type { z } from 'zod';

export type Values = Record<string, unknown>;

export function isGroup(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a dotted key; undefined where there is none. */
export function valueAt(values: unknown, key: string): unknown {
  return key
    .split('.')
    .reduce<unknown>(
      (node, part) => (isGroup(node) && Object.hasOwn(node, part) ? node[part] : undefined),
      values,
    );
}

/**
 * Sets the value at a dotted key, making the groups on the way.
 * @returns the key of what stands in the way: a value where a group is needed; undefined when it is done.
 */
export function setAt(values: Values, key: string, value: unknown): string | undefined {
  const parts = key.split('.');
  const last = parts.pop() as string;
  let node = values;
  for (const [i, part] of parts.entries()) {
    const next = Object.hasOwn(node, part) ? node[part] : undefined;
    if (next === undefined) define(node, part, {});
    else if (!isGroup(next)) return parts.slice(0, i + 1).join('.');
    node = node[part] as Values;
  }
  define(node, last, value);
  return undefined;
}

/** An own property whatever its name: `__proto__` must not reach the prototype. */
function define(node: Values, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Leaves by dotted key, in order; lists are leaves. */
export function leaves(values: unknown, at = ''): [string, unknown][] {
  if (!isGroup(values)) return [[at, values]];
  return Object.entries(values).flatMap(([key, value]) => leaves(value, at === '' ? key : `${at}.${key}`));
}

interface Inner {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

/** The object schemas behind defaults, options and unions; more than one for a union. */
function objectsOf(schema: z.ZodType | undefined): Readonly<Record<string, z.ZodType>>[] {
  if (schema === undefined) return [];
  const { shape } = schema as { shape?: Record<string, z.ZodType> };
  if (shape !== undefined) return [shape];
  const inner = schema.def as unknown as Inner;
  return [...objectsOf(inner.innerType ?? inner.in), ...(inner.options ?? []).flatMap(objectsOf)];
}

/**
 * Keys that a schema knows below a dotted key.
 * @param values where they are given, they choose the branch of a union by its discriminating literals.
 */
export function knownKeys(schema: z.ZodType, at: readonly PropertyKey[], values?: unknown): string[] {
  let schemas = [schema];
  let node = values;
  for (const part of at) {
    schemas = schemas.flatMap(objectsOf).flatMap((shape) => shape[String(part)] ?? []);
    node = isGroup(node) ? node[String(part)] : undefined;
  }
  const shapes = schemas.flatMap(objectsOf);
  const chosen = shapes.filter((shape) => matches(shape, node));
  return [...new Set((chosen.length > 0 ? chosen : shapes).flatMap((shape) => Object.keys(shape)))];
}

/** Whether every literal of a shape is the value's. */
function matches(shape: Readonly<Record<string, z.ZodType>>, node: unknown): boolean {
  return Object.entries(shape).every(([key, schema]) => {
    const { values } = schema.def as { values?: readonly unknown[] };
    return schema.def.type !== 'literal' || values?.includes(valueAt(node, key)) === true;
  });
}

/** Every dotted key of a schema, groups and leaves; of all branches of unions. */
export function schemaKeys(schema: z.ZodType, at = ''): string[] {
  const keys = objectsOf(schema).flatMap((shape) =>
    Object.entries(shape).flatMap(([key, inner]) => {
      const full = at === '' ? key : `${at}.${key}`;
      return [full, ...schemaKeys(inner, full)];
    }),
  );
  return [...new Set(keys)];
}
