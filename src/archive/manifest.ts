/**
 * A run's archive: a folder that another machine can read without this log.
 *
 *   manifest.json                       what is here, with the SHA-256 of each file
 *   events/<type>.avro                  an Avro object container file an event type (deflate): the event's schema and, at
 *                                       its end, the place that it had in the log (logPartition, logOffset)
 *   checkpoints/<run>/<version>/...     the checkpoints' files, as they lie under the data folder
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../config/errors.js';

export const MANIFEST = 'manifest.json';
export const FORMAT = 'azr-log';
export const FORMAT_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'accepted is a SHA-256 as 64 hexadecimal digits');
const count = z.number().int().min(0);
/** Inside the archive: no absolute path, no way out. */
const relative = z
  .string()
  .min(1)
  .refine(
    (file) => !path.isAbsolute(file) && !file.split(/[\\/]/).some((part) => part === '..' || part === ''),
    'accepted is a path inside the archive',
  );
const checkpointFolder = relative.refine(
  (folder) => folder.startsWith('checkpoints/'),
  'accepted is a folder under checkpoints/',
);

const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION, `accepted is ${FORMAT_VERSION}; a newer archive needs newer code`),
  run: z.string().min(1),
  preset: z.string(),
  configHash: z.string(),
  codeVersion: z.string(),
  /** Iterations completed. */
  iterations: count,
  events: z.array(
    z.strictObject({
      file: relative,
      type: z.string(),
      schemaVersion: z.number().int().min(1),
      count,
      bytes: count,
      sha256,
    }),
  ),
  checkpoints: z.array(
    z.strictObject({
      version: count,
      /** SHA-256 of its manifest: what CheckpointSaved says. */
      digest: z.string().min(1),
      folder: checkpointFolder,
      files: z.array(z.strictObject({ file: relative, bytes: count, sha256 })),
    }),
  ),
});

export type ArchiveManifest = z.infer<typeof manifestSchema>;
export type ArchivedFile = { readonly file: string; readonly bytes: number; readonly sha256: string };

export async function digestOfFile(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(part);
    bytes += part.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Every file that the manifest names. */
export function filesOf(manifest: ArchiveManifest): ArchivedFile[] {
  return [
    ...manifest.events,
    ...manifest.checkpoints.flatMap(({ folder, files }) =>
      files.map((entry) => ({ ...entry, file: `${folder}/${entry.file}` })),
    ),
  ];
}

/** Reads the manifest and compares every file with it. @throws UsageError naming the file and what is wrong with it. */
export async function readArchive(folder: string): Promise<ArchiveManifest> {
  const at = path.join(folder, MANIFEST);
  let raw: unknown;
  try {
    raw = JSON.parse(await readFile(at, 'utf8'));
  } catch (error) {
    throw new UsageError(
      `${folder} is no archive of a run: ${MANIFEST} cannot be read (${(error as Error).message}); accepted is a folder that npx azr export log made`,
    );
  }
  const parsed = manifestSchema.safeParse(raw);
  if (!parsed.success) throw new UsageError(`${at}: ${z.prettifyError(parsed.error)}`);
  const manifest = parsed.data;
  for (const entry of filesOf(manifest)) {
    const file = path.join(folder, entry.file);
    const size = await stat(file).then(
      (found) => found.size,
      () => undefined,
    );
    if (size === undefined) throw new UsageError(`${file} is missing; the manifest names it`);
    if (size !== entry.bytes)
      throw new UsageError(`${file} has ${size} bytes; the manifest says ${entry.bytes}: it is damaged`);
    const found = await digestOfFile(file);
    if (found.sha256 !== entry.sha256)
      throw new UsageError(
        `${file} has SHA-256 ${found.sha256}; the manifest says ${entry.sha256}: it is damaged`,
      );
  }
  return manifest;
}
