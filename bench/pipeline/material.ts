/** The events of a run under as many names as are needed, as they are appended, sent and inserted. */
import path from 'node:path';
import { rowsOf } from '../../pipelines/clickhouse/rows.js';
import { DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent } from '../../pipelines/serde.js';
import { subjectOf } from '../../pipelines/subject.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventType } from '../../schemas/generated/events.js';
import { readEventFile } from '../../src/archive/event-file.js';
import { readArchive } from '../../src/archive/manifest.js';
import type { InsertBatch, Send } from './bare.js';

/** What the log and the sink cut by. */
export interface Cuts {
  readonly sendMessages: number;
  readonly sendBytes: number;
  readonly batchMessages: number;
}

export interface EventBatch {
  /** Offset of its first event. */
  readonly first: number;
  readonly events: readonly AzrEvent[];
}

export class Material {
  readonly #events: readonly AzrEvent[];
  readonly #copies: number;
  readonly #ids = new DerivedSchemaIds([]);

  private constructor(events: readonly AzrEvent[], copies: number) {
    this.#events = events;
    this.#copies = copies;
  }

  static async read(archive: string, atLeast: number): Promise<Material> {
    const manifest = await readArchive(archive);
    const events: AzrEvent[] = [];
    for (const { file, type, schemaVersion } of manifest.events)
      for await (const { event } of readEventFile(path.join(archive, file), type as EventType, schemaVersion))
        events.push(event);
    return new Material(events, Math.ceil(atLeast / events.length));
  }

  /** A round's appends by iteration, as steps make them: one a topic. */
  iterations(round: number): AzrEvent[][][] {
    const iterations = new Map<string, Map<string, AzrEvent[]>>();
    for (let copy = 0; copy < this.#copies; copy++)
      for (const event of this.#events) {
        const renamed = {
          ...event,
          envelope: { ...event.envelope, runId: `bench-${round}-${copy}` },
        } as AzrEvent;
        const key = `${copy} ${event.envelope.iteration}`;
        const topics = iterations.get(key) ?? new Map<string, AzrEvent[]>();
        iterations.set(key, topics);
        const group = topics.get(topicOf(event.type));
        if (group === undefined) topics.set(topicOf(event.type), [renamed]);
        else group.push(renamed);
      }
    return [...iterations.values()].map((topics) => [...topics.values()]);
  }

  /** The sends of a bare producer: the same messages, cut as the log cuts them. */
  sends(appends: readonly (readonly AzrEvent[])[], topicFor: (topic: string) => string, cuts: Cuts): Send[] {
    return appends.flatMap((events) => {
      const topic = topicFor(topicOf((events[0] as AzrEvent).type));
      const sends: { topic: string; messages: { key: string; value: Buffer }[]; bytes: number }[] = [];
      for (const event of events) {
        const message = { key: subjectOf(event), value: encodeEvent(event, this.#ids) };
        const last = sends.at(-1);
        if (
          last === undefined ||
          last.messages.length >= cuts.sendMessages ||
          last.bytes + message.value.length > cuts.sendBytes
        )
          sends.push({ topic, messages: [message], bytes: message.value.length });
        else {
          last.messages.push(message);
          last.bytes += message.value.length;
        }
      }
      return sends;
    });
  }

  /** The events of each topic, cut as the sink cuts them. */
  batches(appends: readonly (readonly AzrEvent[])[], { batchMessages }: Cuts): EventBatch[] {
    const byTopic = new Map<string, AzrEvent[]>();
    for (const event of appends.flat()) {
      const list = byTopic.get(topicOf(event.type));
      if (list === undefined) byTopic.set(topicOf(event.type), [event]);
      else list.push(event);
    }
    return [...byTopic.values()].flatMap((events) =>
      Array.from({ length: Math.ceil(events.length / batchMessages) }, (_, i) => ({
        first: i * batchMessages,
        events: events.slice(i * batchMessages, (i + 1) * batchMessages),
      })),
    );
  }

  /** The same as rows, an insert a table. */
  inserts(appends: readonly (readonly AzrEvent[])[], cuts: Cuts): InsertBatch[] {
    return this.batches(appends, cuts).flatMap(({ first, events }) => {
      const tables = new Map<string, Readonly<Record<string, unknown>>[]>();
      for (const [i, event] of events.entries()) {
        const { table, rows } = rowsOf(event, { partition: 0, offset: String(first + i) });
        const list = tables.get(table);
        if (list === undefined) tables.set(table, [...rows]);
        else list.push(...rows);
      }
      return [...tables].flatMap(([table, rows]) => (rows.length > 0 ? [{ table, rows }] : []));
    });
  }
}
