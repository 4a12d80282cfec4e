/**
 * Schema ids. With a Confluent-compatible registry they are the registry's. Without one an id is the first 31 bits of the
 * SHA-256 of the schema's text: every process derives the same id with no coordination, and the compacted topic
 * azr.schemas keeps id -> schema for readers that do not have this code.
 */
import { createHash } from 'node:crypto';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import type { Producer } from 'kafkajs';
import { SCHEMA_VERSIONS, type SchemaVersion } from '../schemas/generated/events.js';
import { RangeReader } from './range-reader.js';
import type { SchemaIds } from './serde.js';
import { newestSchema } from './serde.js';
import { SCHEMAS_TOPIC } from './topics.js';

export interface LoadableSchemaIds extends SchemaIds {
  /** Tries to learn an id that is not known yet. */
  load(id: number): Promise<void>;
}

export function derivedId(schema: string): number {
  return createHash('sha256').update(schema).digest().readUInt32BE(0) >>> 1;
}

/** The topic is compacted: gaps are where repeats were. */
const compacted = (): void => undefined;

export class DerivedSchemaIds implements LoadableSchemaIds {
  readonly #known = new Map<number, string>();
  readonly #brokers: readonly string[];

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers;
    for (const { schema } of SCHEMA_VERSIONS) this.#known.set(derivedId(schema), schema);
  }

  idOf(schema: SchemaVersion): number {
    return derivedId(schema.schema);
  }

  schemaOf(id: number): string | undefined {
    return this.#known.get(id);
  }

  async load(id: number): Promise<void> {
    const reader = new RangeReader(this.#brokers);
    try {
      const [start, end] = [await reader.starts([SCHEMAS_TOPIC]), await reader.ends([SCHEMAS_TOPIC])];
      const [from, to] = [start.get(SCHEMAS_TOPIC)?.[0] ?? 0n, end.get(SCHEMAS_TOPIC)?.[0] ?? 0n];
      for await (const { key, value } of reader.read(SCHEMAS_TOPIC, 0, from, to, compacted))
        if (key !== null && value !== null && Number(key.toString()) === id)
          this.#known.set(id, value.toString());
    } finally {
      await reader.close();
    }
  }

  /** Writes every schema of this code; the topic is compacted, so repeats leave one. */
  async publish(producer: Producer): Promise<void> {
    await producer.send({
      topic: SCHEMAS_TOPIC,
      acks: -1,
      messages: SCHEMA_VERSIONS.map(({ schema }) => ({ key: String(derivedId(schema)), value: schema })),
    });
  }
}

export class RegistrySchemaIds implements LoadableSchemaIds {
  readonly #host: string;
  readonly #registry: SchemaRegistry;
  readonly #idByType = new Map<string, number>();
  readonly #schemaById = new Map<number, string>();

  private constructor(host: string) {
    this.#host = host.replace(/\/+$/, '');
    this.#registry = new SchemaRegistry({ host });
  }

  /** Registers the newest schema of every type under the subject `<type>-value`. @throws where the registry refuses. */
  static async connect(url: string): Promise<RegistrySchemaIds> {
    const ids = new RegistrySchemaIds(url);
    for (const { type } of SCHEMA_VERSIONS) {
      const { schema } = newestSchema(type);
      const { id } = await ids.#registry.register(
        { type: SchemaType.AVRO, schema },
        { subject: `${type}-value` },
      );
      ids.#idByType.set(type, id);
      ids.#schemaById.set(id, schema);
    }
    return ids;
  }

  idOf(schema: SchemaVersion): number {
    const id = this.#idByType.get(schema.type);
    if (id === undefined) throw new RangeError(`type ${schema.type} is not registered`);
    return id;
  }

  schemaOf(id: number): string | undefined {
    return this.#schemaById.get(id);
  }

  /** @throws where the registry does not answer: that says nothing about the id, and the message is no dead letter. */
  async load(id: number): Promise<void> {
    // The text as it was registered: the client gives a parsed schema, whose names are qualified and documents gone.
    const response = await fetch(`${this.#host}/schemas/ids/${id}`);
    if (response.status === 404) return;
    if (!response.ok)
      throw new Error(`the schema registry at ${this.#host} answers ${response.status} for schema id ${id}`);
    const { schema } = (await response.json()) as { schema: string };
    this.#schemaById.set(id, schema);
  }
}
