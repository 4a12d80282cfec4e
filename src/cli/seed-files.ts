/** Seed files of `azr run`: read and checked before anything starts, then put into the log, from where the run takes them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { EventLog, EventReference } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import { UsageError } from '../config/errors.js';
import { fact } from '../activities/facts.js';
import { readSeedFile, type SeedFile, type SeedFileKind } from '../tasks/seed-files.js';

export interface NamedSeedFile extends SeedFile {
  readonly fileName: string;
}

/** @throws UsageError where a file cannot be read or a line is no row. */
export async function readSeedFiles(options: {
  readonly seedIo?: string;
  readonly seedF?: string;
}): Promise<readonly NamedSeedFile[]> {
  const wanted: readonly (readonly [string, SeedFileKind, string | undefined])[] = [
    ['--seed-io', 'pairs', options.seedIo],
    ['--seed-f', 'induction', options.seedF],
  ];
  const files: NamedSeedFile[] = [];
  for (const [option, kind, file] of wanted) {
    if (file === undefined) continue;
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      throw new UsageError(
        `${option} is ${file}, which cannot be read: ${(error as Error).message}; accepted is a file of JSON lines`,
      );
    }
    files.push({ fileName: path.basename(file), ...readSeedFile(option, file, text, kind) });
  }
  return files;
}

/** @returns where the rows stand in the log. */
export async function recordSeedRows(
  log: EventLog,
  runId: string,
  files: readonly NamedSeedFile[],
  codeVersion: string,
): Promise<EventReference> {
  const origin = { runId, iteration: 0, policyVersion: null, codeVersion };
  // Rows of other files that an earlier start under this name left, before there was a run, are not this run's.
  const since = await log.watermarks([topicOf('SeedRowRead')]);
  const [reference] = await log.append(
    files.flatMap(({ fileName, digest, rows }) =>
      rows.map(({ line, rowJson }) =>
        fact(origin, 'SeedRowRead', [digest, line], { fileName, fileDigest: digest, line, rowJson }),
      ),
    ),
    since,
  );
  if (reference === undefined) throw new Error('no seed row was recorded');
  return reference;
}
