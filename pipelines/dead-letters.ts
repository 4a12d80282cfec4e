/**
 * Dead letters: what the sink could not store, with the reason, the place in the log and the bytes.
 *
 * Nothing is written down about a letter's fate. A letter is `stored` when the rows of its event are in the tables,
 * `readable` when this code can make rows of it (a retry stores them), `unreadable` otherwise. A retry stores the rows
 * under the message's own place in the log, as the sink would have: asked again it finds them there, and a rebuilt
 * projection holds the same rows.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { clickHouseClient, migrate } from './clickhouse/client.js';
import { insertText, RowBatch } from './clickhouse/row-batch.js';
import { MessageProjector, type MessageRows } from './message-rows.js';
import { RangeReader, type RawMessage } from './range-reader.js';
import { DEAD_LETTERS_TOPIC, ensureTopics } from './topics.js';

export interface DeadLetter {
  /** `topic/partition/offset` of the message. */
  readonly place: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Why the sink could not store it, then. */
  readonly reason: string;
  readonly detail: string;
  readonly value: Buffer | null;
}

export type LetterState = 'stored' | 'readable' | 'unreadable';

export interface InspectedLetter extends DeadLetter {
  readonly state: LetterState;
  /** What this code makes of it now. */
  readonly rows: MessageRows;
}

/** Every letter once, in the order in which they came; a batch that was repeated may have buried one twice. */
export async function readDeadLetters(brokers: readonly string[]): Promise<DeadLetter[]> {
  await ensureTopics(brokers);
  const reader = new RangeReader(brokers);
  const letters = new Map<string, DeadLetter>();
  try {
    const [starts, ends] = [
      await reader.starts([DEAD_LETTERS_TOPIC]),
      await reader.ends([DEAD_LETTERS_TOPIC]),
    ];
    for (const [partition, end] of (ends.get(DEAD_LETTERS_TOPIC) ?? []).entries()) {
      const start = starts.get(DEAD_LETTERS_TOPIC)?.[partition] ?? 0n;
      for await (const message of reader.read(DEAD_LETTERS_TOPIC, partition, start, end)) {
        const letter = letterOf(message);
        if (letter !== undefined && !letters.has(letter.place)) letters.set(letter.place, letter);
      }
    }
  } finally {
    await reader.close();
  }
  return [...letters.values()];
}

/** @returns undefined for a message that the sink did not write. */
function letterOf(message: RawMessage): DeadLetter | undefined {
  const headers = new Map(message.headers.map(([name, value]) => [String(name), String(value ?? '')]));
  const [topic, partition, offset] = [headers.get('topic'), headers.get('partition'), headers.get('offset')];
  if (topic === undefined || !/^\d+$/.test(partition ?? '') || !/^\d+$/.test(offset ?? '')) return undefined;
  return {
    place: `${topic}/${partition ?? ''}/${offset ?? ''}`,
    topic,
    partition: Number(partition),
    offset: BigInt(offset ?? 0),
    reason: headers.get('reason') ?? '',
    detail: headers.get('detail') ?? '',
    value: message.value,
  };
}

/** Letters with what this code makes of them and whether their rows are stored. */
export async function inspectDeadLetters(
  addresses: ServiceAddresses,
  letters: readonly DeadLetter[],
): Promise<InspectedLetter[]> {
  if (letters.length === 0) return [];
  await migrate(addresses);
  const projector = await MessageProjector.open(addresses);
  const client = clickHouseClient(addresses);
  try {
    const found: InspectedLetter[] = [];
    for (const letter of letters) {
      const rows = await projector.rowsOf(letter);
      const state = !rows.ok ? 'unreadable' : (await isStored(client, rows)) ? 'stored' : 'readable';
      found.push({ ...letter, state, rows });
    }
    return found;
  } finally {
    await client.close();
  }
}

async function isStored(
  client: ClickHouseClient,
  rows: Extract<MessageRows, { ok: true }>,
): Promise<boolean> {
  // An event without a row (no attempts, no scores) is stored as soon as it is read.
  if (rows.rows.length === 0) return true;
  const { runId, iteration, eventId } = rows.event.envelope;
  const answer = await client.query({
    query: `SELECT count() > 0 AS stored FROM ${rows.table}
            WHERE run_id = {run:String} AND iteration = {iteration:Int32} AND event_id = {id:String}`,
    query_params: { run: runId, iteration, id: eventId },
    format: 'JSONEachRow',
  });
  const [row] = await answer.json<{ stored: boolean | number }>();
  return Boolean(row?.stored);
}

/** Stores the rows of the letters that this code can read and that are not stored yet. @returns each as it is now. */
export async function retryDeadLetters(
  addresses: ServiceAddresses,
  letters: readonly DeadLetter[],
): Promise<(InspectedLetter & { readonly retried: boolean })[]> {
  const inspected = await inspectDeadLetters(addresses, letters);
  const client = clickHouseClient(addresses);
  try {
    const after: (InspectedLetter & { retried: boolean })[] = [];
    for (const letter of inspected) {
      const { rows } = letter;
      const retried = letter.state === 'readable' && rows.ok;
      if (retried) {
        const batch = new RowBatch();
        batch.add(rows);
        for (const table of batch.tables()) await insertText(client, table);
      }
      after.push({ ...letter, state: retried ? 'stored' : letter.state, retried });
    }
    return after;
  } finally {
    await client.close();
  }
}
