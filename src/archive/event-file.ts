/**
 * Events of one type as an Avro object container file (deflate), readable by everything that reads Avro. Each record is
 * the event's own, with the place in the log where it stood. Older files resolve to the newest schema, as messages do.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import avsc from 'avsc';
import { newestSchema } from '../../pipelines/serde.js';
import { upcast } from '../../pipelines/upcasters.js';
import type { AzrEvent, EventType } from '../../schemas/generated/events.js';
import { UsageError } from '../config/errors.js';

export interface ArchivedEvent {
  readonly event: AzrEvent;
  readonly partition: number;
  readonly offset: number;
}

interface RecordSchema {
  readonly name: string;
  readonly fields: readonly object[];
}

function fileSchema(type: EventType): avsc.Schema {
  const schema = JSON.parse(newestSchema(type).schema) as RecordSchema;
  const place = [
    { name: 'logPartition', type: 'int', doc: 'Partition of the log in which it stood.' },
    { name: 'logOffset', type: 'long', doc: 'Offset at which it stood.' },
  ];
  return { ...schema, fields: [...schema.fields, ...place] } as unknown as avsc.Schema;
}

export class EventFileWriter {
  readonly type: EventType;
  readonly #encoder: avsc.streams.BlockEncoder;
  readonly #done: Promise<void>;
  #count = 0;

  /** @param run with the type it gives the file's sync marker, so that equal events make equal files. */
  constructor(file: string, type: EventType, run: string) {
    this.type = type;
    this.#encoder = new avsc.streams.BlockEncoder(fileSchema(type), {
      codec: 'deflate',
      syncMarker: createHash('sha256').update(`${run}\n${type}`).digest().subarray(0, 16),
    });
    this.#done = pipeline(this.#encoder, createWriteStream(file, { flush: true }));
    this.#done.catch(() => undefined);
  }

  get count(): number {
    return this.#count;
  }

  async write({ event, partition, offset }: ArchivedEvent): Promise<void> {
    this.#count += 1;
    const record = { envelope: event.envelope, ...event.data, logPartition: partition, logOffset: offset };
    if (!this.#encoder.write(record)) await Promise.race([once(this.#encoder, 'drain'), this.#done]);
  }

  /** Until everything is in the file. */
  async end(): Promise<void> {
    this.#encoder.end();
    await this.#done;
  }
}

/** @throws UsageError naming the file where it holds no events of that type. */
export async function* readEventFile(
  file: string,
  type: EventType,
  schemaVersion: number,
): AsyncGenerator<ArchivedEvent> {
  const decoder = new avsc.streams.BlockDecoder({
    readerSchema: avsc.Type.forSchema(fileSchema(type)),
  });
  const source = createReadStream(file).once('error', (error) => decoder.destroy(error));
  source.pipe(decoder);
  try {
    for await (const record of decoder as AsyncIterable<Record<string, unknown>>) {
      const { envelope, logPartition, logOffset, ...data } = record;
      yield {
        event: { type, envelope, data: upcast(type, schemaVersion, data) } as unknown as AzrEvent,
        partition: logPartition as number,
        offset: logOffset as number,
      };
    }
  } catch (error) {
    throw new UsageError(`${file} holds no readable ${type} events: ${(error as Error).message}`);
  } finally {
    source.destroy();
  }
}
