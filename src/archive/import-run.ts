/**
 * A run's archive into a log, which may be another machine's.
 *
 * Everything is read and checked before anything is written: digests, schemas, the run's name in every event, and that
 * no event of that id stands in the log with another content. Then the checkpoints go to the data folder and the events
 * to the log, iteration by iteration. Offsets differ from log to log, so each IterationStarted says where its iteration
 * begins here; nothing else is changed. What stands in the log already is not written again: an import that was broken
 * off goes on, and a second one writes nothing.
 */
import { createHash } from 'node:crypto';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import type { EventLog, Offsets } from '../../pipelines/event-log.js';
import { DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent } from '../../pipelines/serde.js';
import { eventTopics, topicOf } from '../../pipelines/topics.js';
import { SCHEMA_VERSIONS, type AzrEvent, type EventType } from '../../schemas/generated/events.js';
import { UsageError } from '../config/errors.js';
import { mergeByIteration } from './by-iteration.js';
import { readEventFile, type ArchivedEvent } from './event-file.js';
import { digestOfFile, readArchive, type ArchiveManifest } from './manifest.js';
import { placeFolder } from './place-folder.js';

export interface ImportOptions {
  readonly folder: string;
  /** Under which the checkpoints go. */
  readonly dataFolder: string;
  readonly onIteration?: (iteration: number) => void;
}

export interface ImportReport {
  readonly run: string;
  readonly iterations: number;
  readonly events: number;
  /** Of these, written now; the others stood in the log. */
  readonly written: number;
  readonly checkpoints: number;
  readonly checkpointsWritten: number;
}

/** @throws UsageError naming what is damaged or in the way; nothing was imported then. */
export async function importRun(log: EventLog, options: ImportOptions): Promise<ImportReport> {
  const { folder, dataFolder } = options;
  const manifest = await readArchive(folder);
  const standing = await standingEvents(log, manifest.run);
  const events = await checkEvents(folder, manifest, standing);
  const wanted = await missingCheckpoints(manifest, dataFolder);

  for (const checkpoint of wanted)
    await placeFolder(path.join(dataFolder, checkpoint.folder), (beside) =>
      cp(path.join(folder, checkpoint.folder), beside, { recursive: true }),
    );
  let written = 0;
  for await (const { iteration, group } of iterations(folder, manifest)) {
    const missing = group.filter(({ envelope }) => !standing.has(envelope.eventId));
    if (missing.length > 0) {
      const since = await log.watermarks(eventTopics());
      // By run and iteration, as steps append them.
      for (const set of byIteration(missing))
        await log.append(
          set.map((event) => relocated(event, since)),
          since,
        );
    }
    written += missing.length;
    options.onIteration?.(iteration);
  }
  return {
    run: manifest.run,
    iterations: manifest.iterations,
    events,
    written,
    checkpoints: manifest.checkpoints.length,
    checkpointsWritten: wanted.length,
  };
}

const ids = new DerivedSchemaIds([]);

/** SHA-256 of an event without what an import changes in it. */
function digestOf(event: AzrEvent): string {
  const plain = relocated(event, {});
  return createHash('sha256').update(encodeEvent(plain, ids)).digest('base64');
}

/** An iteration begins where this log stands. */
function relocated(event: AzrEvent, since: Offsets): AzrEvent {
  if (event.type !== 'IterationStarted') return event;
  return { ...event, data: { ...event.data, startOffsetsJson: JSON.stringify(since) } };
}

/** Id -> digest of what the log holds of that run. */
async function standingEvents(log: EventLog, runId: string): Promise<Map<string, string>> {
  const standing = new Map<string, string>();
  for (const topic of eventTopics())
    for await (const { event } of log.scan(topic, {}, undefined, (one) => one.envelope.runId === runId))
      if (!standing.has(event.envelope.eventId)) standing.set(event.envelope.eventId, digestOf(event));
  return standing;
}

/** @returns how many events the archive holds. */
async function checkEvents(
  folder: string,
  manifest: ArchiveManifest,
  standing: ReadonlyMap<string, string>,
): Promise<number> {
  let all = 0;
  let begins = false;
  for (const { file, type, schemaVersion, count } of manifest.events) {
    const at = path.join(folder, file);
    const known = typeOf(type, at);
    let found = 0;
    for await (const { event } of readEventFile(at, known, schemaVersion)) {
      found += 1;
      const { runId, eventId } = event.envelope;
      if (runId !== manifest.run)
        throw new UsageError(
          `${at}: ${type} ${eventId} is of run ${runId}; accepted are events of ${manifest.run}`,
        );
      const digest = standing.get(eventId);
      if (digest !== undefined && digest !== digestOf(event))
        throw new UsageError(
          `run ${manifest.run} stands in this log with another content: ${type} ${eventId} (iteration ${event.envelope.iteration}) differs; nothing is imported. Accepted is a log that does not have the run, or has the same`,
        );
      begins ||= event.type === 'RunStarted';
    }
    if (found !== count)
      throw new UsageError(`${at} holds ${found} events; the manifest says ${count}: it is damaged`);
    all += found;
  }
  if (!begins)
    throw new UsageError(`${folder} holds no RunStarted of ${manifest.run}; accepted is a whole run`);
  return all;
}

function typeOf(name: string, file: string): EventType {
  const found = SCHEMA_VERSIONS.find(({ type }) => type === name)?.type;
  if (found === undefined)
    throw new UsageError(
      `${file} holds events of type ${name}, which this code does not know; accepted are ${[...new Set(SCHEMA_VERSIONS.map(({ type }) => type))].join(', ')}`,
    );
  return found;
}

/** The archive's events, an iteration at a time; a late fact comes with the iteration that is under way. */
async function* iterations(
  folder: string,
  manifest: ArchiveManifest,
): AsyncGenerator<{ iteration: number; group: AzrEvent[] }> {
  const order = eventTopics();
  const files = [...manifest.events].sort(
    (a, b) =>
      order.indexOf(topicOf(a.type as EventType)) - order.indexOf(topicOf(b.type as EventType)) ||
      (a.file < b.file ? -1 : 1),
  );
  const streams: AsyncIterable<ArchivedEvent>[] = files.map(({ file, type, schemaVersion }) =>
    readEventFile(path.join(folder, file), type as EventType, schemaVersion),
  );
  let iteration = 0;
  let group: AzrEvent[] = [];
  for await (const { event } of mergeByIteration(streams)) {
    if (event.envelope.iteration > iteration) {
      yield { iteration, group };
      [iteration, group] = [event.envelope.iteration, []];
    }
    group.push(event);
  }
  yield { iteration, group };
}

function byIteration(events: readonly AzrEvent[]): AzrEvent[][] {
  const sets = new Map<number, AzrEvent[]>();
  for (const event of events) {
    const set = sets.get(event.envelope.iteration);
    if (set === undefined) sets.set(event.envelope.iteration, [event]);
    else set.push(event);
  }
  return [...sets.values()];
}

/** @throws UsageError where another checkpoint stands in the place of one. */
async function missingCheckpoints(
  manifest: ArchiveManifest,
  dataFolder: string,
): Promise<ArchiveManifest['checkpoints']> {
  const missing: ArchiveManifest['checkpoints'] = [];
  for (const checkpoint of manifest.checkpoints) {
    const { folder, digest, version, files } = checkpoint;
    const stated = files.find(({ file }) => file === 'manifest.json')?.sha256;
    if (stated !== digest)
      throw new UsageError(
        `checkpoint ${version} in ${folder} has digest ${stated ?? 'none'}; the archive's manifest says ${digest}`,
      );
    const at = path.join(dataFolder, folder, 'manifest.json');
    const found = await digestOfFile(at).catch(() => undefined);
    if (found === undefined) missing.push(checkpoint);
    else if (found.sha256 !== digest)
      throw new UsageError(
        `${path.dirname(at)} holds another checkpoint (${found.sha256}; the archive's is ${digest}); nothing is imported`,
      );
  }
  return missing;
}
