/**
 * A run out of the log into a folder: its events, each once (first write wins), and its checkpoints. Equal runs give
 * equal bytes. The folder is filled beside and moved into place whole: half an archive does not exist.
 */
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EventLog } from '../../pipelines/event-log.js';
import { snakeCase } from '../../pipelines/clickhouse/rows.js';
import { newestSchema } from '../../pipelines/serde.js';
import { eventTopics } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType, EventType } from '../../schemas/generated/events.js';
import { UsageError } from '../config/errors.js';
import { mergeByIteration, partitionStreams } from './by-iteration.js';
import { EventFileWriter } from './event-file.js';
import { digestOfFile, FORMAT, FORMAT_VERSION, MANIFEST, type ArchiveManifest } from './manifest.js';
import { requireEmptyFolder } from './place-folder.js';

export interface ExportOptions {
  readonly runId: string;
  /** The archive's folder; must not exist, or be empty. */
  readonly folder: string;
  /** Under which the log's relative checkpoint folders lie. */
  readonly dataFolder: string;
  readonly codeVersion: string;
  /** Default true. */
  readonly checkpoints?: boolean;
}

type Checkpoint = EventDataByType['CheckpointSaved'];

/**
 * @returns undefined where the log has no RunStarted of that run.
 * @throws UsageError where the folder is in use or a checkpoint is missing or damaged.
 */
export async function exportRun(log: EventLog, options: ExportOptions): Promise<ArchiveManifest | undefined> {
  const { runId, folder, dataFolder, codeVersion } = options;
  await requireEmptyFolder(folder);
  const beside = `${folder}.${process.pid}.tmp`;
  await rm(beside, { recursive: true, force: true });
  try {
    await mkdir(path.join(beside, 'events'), { recursive: true });
    const found = await writeEvents(log, runId, beside);
    if (found.started === undefined) return undefined;
    const manifest: ArchiveManifest = {
      format: FORMAT,
      version: FORMAT_VERSION,
      run: runId,
      preset: found.started.preset,
      configHash: found.started.configHash,
      codeVersion,
      iterations: found.iterations,
      events: await Promise.all(
        found.files
          .sort((a, b) => (a.file < b.file ? -1 : 1))
          .map(async ({ file, type, count }) => ({
            file,
            type,
            schemaVersion: newestSchema(type).version,
            count,
            ...(await digestOfFile(path.join(beside, file))),
          })),
      ),
      checkpoints:
        options.checkpoints === false ? [] : await copyCheckpoints(found.checkpoints, dataFolder, beside),
    };
    await writeFile(path.join(beside, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await rm(folder, { recursive: true, force: true });
    await mkdir(path.dirname(folder), { recursive: true });
    await rename(beside, folder);
    return manifest;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

interface WrittenEvents {
  readonly files: { file: string; type: EventType; count: number }[];
  readonly started: EventDataByType['RunStarted'] | undefined;
  readonly checkpoints: readonly Checkpoint[];
  readonly iterations: number;
}

async function writeEvents(log: EventLog, runId: string, folder: string): Promise<WrittenEvents> {
  const writers = new Map<EventType, { writer: EventFileWriter; file: string }>();
  const checkpoints = new Map<string, Checkpoint>();
  let started: EventDataByType['RunStarted'] | undefined;
  let iterations = 0;
  const to = await log.watermarks(eventTopics());
  const mine = (event: AzrEvent): boolean => event.envelope.runId === runId;
  for (const topic of eventTopics()) {
    const seen = new Set<string>();
    for await (const { event, partition, offset } of mergeByIteration(
      partitionStreams(log, topic, to, mine),
    )) {
      if (seen.has(event.envelope.eventId)) continue;
      seen.add(event.envelope.eventId);
      let target = writers.get(event.type);
      if (target === undefined) {
        const file = `events/${snakeCase(event.type).replaceAll('_', '-')}.avro`;
        target = { writer: new EventFileWriter(path.join(folder, file), event.type, runId), file };
        writers.set(event.type, target);
      }
      await target.writer.write({ event, partition, offset: Number(offset) });
      if (event.type === 'RunStarted') started ??= event.data;
      else if (event.type === 'CheckpointSaved') checkpoints.set(event.data.folder, event.data);
      else if (event.type === 'IterationCompleted')
        iterations = Math.max(iterations, event.envelope.iteration);
    }
  }
  for (const { writer } of writers.values()) await writer.end();
  const files = [...writers].map(([type, { writer, file }]) => ({ file, type, count: writer.count }));
  return { files, started, checkpoints: [...checkpoints.values()], iterations };
}

async function copyCheckpoints(
  checkpoints: readonly Checkpoint[],
  dataFolder: string,
  folder: string,
): Promise<ArchiveManifest['checkpoints']> {
  const copied: ArchiveManifest['checkpoints'] = [];
  for (const { version, digest, folder: at } of [...checkpoints].sort((a, b) => a.version - b.version)) {
    const from = path.join(dataFolder, at);
    const names = (await readdir(from).catch(() => [])).sort();
    if (!names.includes('manifest.json'))
      throw new UsageError(
        `checkpoint ${version} is missing: ${from} is not there or has no manifest; accepted is --without-checkpoints, which leaves all of them out`,
      );
    const { sha256 } = await digestOfFile(path.join(from, 'manifest.json'));
    if (sha256 !== digest)
      throw new UsageError(
        `checkpoint ${version} in ${from} has digest ${sha256}; the log says ${digest}: another step wrote it, or it is damaged`,
      );
    await mkdir(path.join(folder, at), { recursive: true });
    const files = [];
    for (const name of names) {
      const target = path.join(folder, at, name);
      await copyFile(path.join(from, name), target);
      files.push({ file: name, ...(await digestOfFile(target)) });
    }
    copied.push({ version, digest, folder: at, files });
  }
  return copied;
}
