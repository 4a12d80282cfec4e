/**
 * Events for tests: an arbitrary of every type, read off its Avro schema, so that a new field is tested without a line
 * here; and a plain way to write one event down.
 */
import fc from 'fast-check';
import { newestSchema } from '../../pipelines/serde.js';
import {
  SCHEMA_VERSIONS,
  type AzrEvent,
  type Envelope,
  type EventDataByType,
  type EventType,
} from '../../schemas/generated/events.js';
import { idOf } from '../../src/coordinates.js';

export const EVENT_TYPES: readonly EventType[] = [...new Set(SCHEMA_VERSIONS.map(({ type }) => type))].sort();

interface NamedSchema {
  readonly type: string;
  readonly name?: string;
  readonly symbols?: readonly string[];
  readonly items?: AvroSchema;
  readonly fields?: readonly { readonly name: string; readonly type: AvroSchema }[];
  readonly logicalType?: string;
}
export type AvroSchema = string | readonly AvroSchema[] | NamedSchema;

/** Times that ClickHouse's DateTime64 holds: 1970 to 2262. */
const LAST_MILLISECOND = Date.UTC(2262, 0, 1);

/** Values of a schema, in the form in which the decoder gives them back: no -0, floats of 32 bits, whole characters. */
export function arbitraryOf(
  schema: AvroSchema,
  named = new Map<string, AvroSchema>(),
): fc.Arbitrary<unknown> {
  if (typeof schema === 'string') {
    const known = named.get(schema);
    return known === undefined ? primitive(schema) : arbitraryOf(known, named);
  }
  if (Array.isArray(schema))
    return fc.oneof(...schema.map((branch: AvroSchema) => arbitraryOf(branch, named)));
  const { type, name, symbols = [], items = 'null', fields = [], logicalType } = schema as NamedSchema;
  if (name !== undefined) named.set(name, schema);
  switch (type) {
    case 'enum':
      return fc.constantFrom(...symbols);
    case 'array':
      return fc.array(arbitraryOf(items, named), { maxLength: 4 });
    case 'record':
      return fc.record(
        Object.fromEntries(fields.map((field) => [field.name, arbitraryOf(field.type, named)])),
        { noNullPrototype: true },
      );
    default:
      return logicalType === 'timestamp-millis'
        ? fc.integer({ min: 0, max: LAST_MILLISECOND })
        : arbitraryOf(type, named);
  }
}

function primitive(name: string): fc.Arbitrary<unknown> {
  switch (name) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'int':
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case 'long':
      // avsc's own range: below -2^52 it writes another number, above 2^53 - 2 it refuses.
      return fc.integer({ min: -(2 ** 52), max: Number.MAX_SAFE_INTEGER - 1 });
    case 'float':
      return fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 24 });
    default:
      throw new RangeError(`${name} is no Avro type that the arbitraries know`);
  }
}

/** Random events of one type. */
export function eventOf(type: EventType): fc.Arbitrary<AzrEvent> {
  return arbitraryOf(JSON.parse(newestSchema(type).schema) as AvroSchema).map((record) => {
    const { envelope, ...data } = record as { envelope: Envelope };
    return { type, envelope, data } as unknown as AzrEvent;
  });
}

/** Random events of any type. */
export const anyEvent = (): fc.Arbitrary<AzrEvent> => fc.oneof(...EVENT_TYPES.map(eventOf));

/** The same `count` events of a type each time. */
export function sampleEvents(type: EventType, count: number, seed = 1): AzrEvent[] {
  return fc.sample(eventOf(type), { numRuns: count, seed });
}

export interface Place {
  readonly runId: string;
  readonly iteration: number;
}

export const BEGINNING = Date.UTC(2026, 0, 1);

/** An event as the steps write it; the id comes from run, iteration, type and subject. */
export function event<T extends EventType>(
  type: T,
  place: Place,
  subject: readonly (string | number)[],
  data: EventDataByType[T],
  envelope: Partial<Envelope> = {},
): AzrEvent {
  const { runId, iteration } = place;
  return {
    type,
    envelope: {
      eventId: idOf(runId, iteration, type, ...subject),
      runId,
      iteration,
      correlationId: idOf(runId, iteration),
      causationId: null,
      policyVersion: iteration,
      occurredAt: BEGINNING + iteration * 60_000,
      codeVersion: 'test',
      ...envelope,
    },
    data,
  } as unknown as AzrEvent;
}

/**
 * One plain event of a type, the same each time: texts are the names of their fields, numbers count up, lists have two
 * items that differ, and of a union the last branch is taken.
 */
export function exampleEvent(type: EventType, envelope: Partial<Envelope> = {}): AzrEvent {
  let count = 0;
  const named = new Map<string, AvroSchema>();
  const example = (schema: AvroSchema, name: string, item: number): unknown => {
    if (typeof schema === 'string') {
      const known = named.get(schema);
      if (known !== undefined) return example(known, name, item);
      count += 1;
      const text = item === 0 ? name : `${name}${item}`;
      const plain: Record<string, unknown> = {
        null: null,
        boolean: true,
        string: text,
        int: count,
        long: count,
      };
      return schema in plain ? plain[schema] : count + 0.5;
    }
    if (Array.isArray(schema)) return example((schema as readonly AvroSchema[]).at(-1) ?? 'null', name, item);
    const {
      type: kind,
      name: own,
      symbols = [],
      items = 'null',
      fields = [],
      logicalType,
    } = schema as NamedSchema;
    if (own !== undefined) named.set(own, schema);
    if (logicalType === 'timestamp-millis') return BEGINNING;
    if (kind === 'enum') return symbols[item % symbols.length];
    if (kind === 'array') return [0, 1].map((i) => example(items, name, i));
    if (kind === 'record')
      return Object.fromEntries(fields.map((field) => [field.name, example(field.type, field.name, item)]));
    return example(kind, name, item);
  };
  const record = example(JSON.parse(newestSchema(type).schema) as AvroSchema, type, 0) as {
    envelope: Envelope;
  };
  const { envelope: made, ...data } = record;
  return { type, envelope: { ...made, ...envelope }, data } as unknown as AzrEvent;
}
