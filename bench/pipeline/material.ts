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

  /** A round's appends, as steps make them: one of each run, iteration and topic. */
  appends(round: number): AzrEvent[][] {
    const groups = new Map<string, AzrEvent[]>();
    for (let copy = 0; copy < this.#copies; copy++)
      for (const event of this.#events) {
        const runId = `bench-${round}-${copy}`;
        const key = `${copy} ${event.envelope.iteration} ${topicOf(event.type)}`;
        const renamed = { ...event, envelope: { ...event.envelope, runId } } as AzrEvent;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, [renamed]);
        else group.push(renamed);
      }
    return [...groups.values()];
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

  /** The rows, in batches of as many messages as the sink takes. */
  inserts(appends: readonly (readonly AzrEvent[])[], cuts: Cuts): InsertBatch[] {
    const byTopic = new Map<string, AzrEvent[]>();
    for (const event of appends.flat()) {
      const list = byTopic.get(topicOf(event.type));
      if (list === undefined) byTopic.set(topicOf(event.type), [event]);
      else list.push(event);
    }
    const batches: InsertBatch[] = [];
    for (const events of byTopic.values())
      for (let at = 0; at < events.length; at += cuts.batchMessages) {
        const tables = new Map<string, Readonly<Record<string, unknown>>[]>();
        for (const [i, event] of events.slice(at, at + cuts.batchMessages).entries()) {
          const { table, rows } = rowsOf(event, { partition: 0, offset: String(at + i) });
          const list = tables.get(table);
          if (list === undefined) tables.set(table, [...rows]);
          else list.push(...rows);
        }
        for (const [table, rows] of tables) if (rows.length > 0) batches.push({ table, rows });
      }
    return batches;
  }
}
