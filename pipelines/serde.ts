/**
 * Events as bytes and back: Confluent framing (magic byte 0, schema id as 4 bytes big-endian, Avro body), readable by
 * everything that reads Avro from Kafka. Old versions resolve to the newest schema of their type, then through upcasters.
 */
import avsc from 'avsc';
import {
  SCHEMA_VERSIONS,
  type AzrEvent,
  type EventType,
  type SchemaVersion,
} from '../schemas/generated/events.js';
import { upcast } from './upcasters.js';

const MAGIC = 0;
const HEADER_BYTES = 5;

/** Ids of schemas: from a registry, or from the compacted schemas topic. */
export interface SchemaIds {
  idOf(schema: SchemaVersion): number;
  /** The schema's JSON text behind an id; undefined for an unknown one. */
  schemaOf(id: number): string | undefined;
}

export type Decoded =
  | { readonly ok: true; readonly event: AzrEvent }
  | {
      readonly ok: false;
      readonly reason: 'too-short' | 'bad-magic' | 'unknown-schema' | 'bad-body';
      readonly detail: string;
    };

const newestByType = new Map<EventType, SchemaVersion>();
for (const version of SCHEMA_VERSIONS) {
  const known = newestByType.get(version.type);
  if (known === undefined || known.version < version.version) newestByType.set(version.type, version);
}

export function newestSchema(type: EventType): SchemaVersion {
  const schema = newestByType.get(type);
  if (schema === undefined)
    throw new RangeError(`type is ${type}; accepted are ${[...newestByType.keys()].join(', ')}`);
  return schema;
}

const writers = new Map<EventType, avsc.Type>();

function writerOf(type: EventType): avsc.Type {
  let writer = writers.get(type);
  if (writer === undefined) {
    writer = avsc.Type.forSchema(JSON.parse(newestSchema(type).schema) as avsc.Schema);
    writers.set(type, writer);
  }
  return writer;
}

/** @throws Error naming the field and the value that the schema does not admit. */
export function encodeEvent(event: AzrEvent, ids: SchemaIds): Buffer {
  const writer = writerOf(event.type);
  const record = { envelope: event.envelope, ...event.data };
  let body: Buffer;
  try {
    body = writer.toBuffer(record);
  } catch {
    throw new Error(
      `${event.type} ${event.envelope.eventId} does not fit its schema: ${misfit(writer, record)}`,
    );
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(MAGIC, 0);
  header.writeUInt32BE(ids.idOf(newestSchema(event.type)), 1);
  return Buffer.concat([header, body]);
}

function misfit(writer: avsc.Type, record: unknown): string {
  const found: string[] = [];
  writer.isValid(record, {
    errorHook: (at: string[], value: unknown, type: avsc.Type) =>
      found.push(
        `${at.join('.')} is ${JSON.stringify(value)?.slice(0, 80) ?? 'undefined'}; accepted is ${String(type).slice(0, 80)}`,
      ),
  });
  return found.join('; ');
}

interface Reader {
  readonly type: EventType;
  readonly version: number;
  readonly writer: avsc.Type;
  readonly reader: avsc.Type;
  readonly resolver: unknown;
}

/** A decoder keeps a resolver for each writer's schema that it meets. */
export class EventDecoder {
  readonly #ids: SchemaIds;
  readonly #readers = new Map<number, Reader>();

  constructor(ids: SchemaIds) {
    this.#ids = ids;
  }

  decode(bytes: Buffer): Decoded {
    if (bytes.length < HEADER_BYTES)
      return {
        ok: false,
        reason: 'too-short',
        detail: `${bytes.length} bytes; a message has at least ${HEADER_BYTES}`,
      };
    if (bytes.readUInt8(0) !== MAGIC)
      return {
        ok: false,
        reason: 'bad-magic',
        detail: `first byte is ${bytes.readUInt8(0)}; accepted is ${MAGIC}`,
      };
    const id = bytes.readUInt32BE(1);
    let reader: Reader | undefined;
    try {
      reader = this.#readerOf(id);
    } catch (error) {
      return {
        ok: false,
        reason: 'unknown-schema',
        detail: `schema ${id} cannot be read: ${(error as Error).message}`,
      };
    }
    if (reader === undefined)
      return { ok: false, reason: 'unknown-schema', detail: `schema id ${id} is not registered` };
    try {
      const { envelope, ...data } = reader.reader.fromBuffer(
        bytes.subarray(HEADER_BYTES),
        reader.resolver as never,
      ) as AzrEvent['data'] & { envelope: AzrEvent['envelope'] };
      const event = { type: reader.type, envelope, data: upcast(reader.type, reader.version, data) };
      return { ok: true, event: event as unknown as AzrEvent };
    } catch (error) {
      return { ok: false, reason: 'bad-body', detail: `${reader.type}: ${(error as Error).message}` };
    }
  }

  #readerOf(id: number): Reader | undefined {
    const known = this.#readers.get(id);
    if (known !== undefined) return known;
    const text = this.#ids.schemaOf(id);
    if (text === undefined) return undefined;
    const schema = JSON.parse(text) as { name: string };
    const type = schema.name as EventType;
    if (!newestByType.has(type)) return undefined;
    const writer = avsc.Type.forSchema(schema as avsc.Schema);
    const reader = writerOf(type);
    const version = SCHEMA_VERSIONS.find(
      (candidate) => candidate.type === type && sameSchema(candidate.schema, text),
    )?.version;
    const made: Reader = {
      type,
      version: version ?? newestSchema(type).version,
      writer,
      reader,
      resolver: reader.createResolver(writer),
    };
    this.#readers.set(id, made);
    return made;
  }
}

function sameSchema(a: string, b: string): boolean {
  return a === b || JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
}
