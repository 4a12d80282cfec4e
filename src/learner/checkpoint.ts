/**
 * Checkpoints: a folder of weights, optimiser state and the model's specification; each file digested, the manifest
 * written last, the folder moved into place whole. Half a checkpoint does not exist.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from '../policy/safetensors.js';
import type { CheckpointRef, ModelSpec } from '../policy/port.js';

/** A checkpoint is not what its manifest says; names the file. */
export class CorruptCheckpointError extends Error {
  override readonly name = 'CorruptCheckpointError';
}

export interface Checkpoint {
  readonly version: number;
  readonly spec: ModelSpec;
  readonly weights: ReadonlyMap<string, NamedTensor>;
  /** First and second moments by parameter, and the number of optimiser steps so far. */
  readonly first: ReadonlyMap<string, NamedTensor>;
  readonly second: ReadonlyMap<string, NamedTensor>;
  readonly steps: number;
}

interface Manifest {
  readonly format: 1;
  readonly version: number;
  readonly steps: number;
  /** What it was made from: a retried step finds its own result by this. */
  readonly provenance: string;
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>;
}

const MANIFEST = 'manifest.json';
const UNFINISHED = '.tmp';
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Writes beside the folder, then moves into place. What stood there (the same step from other inputs, or damaged) is
 * replaced; what earlier writers left unfinished is removed.
 * @param provenance a digest of everything the checkpoint is a function of.
 */
export async function saveCheckpoint(
  checkpoint: Checkpoint,
  folder: string,
  provenance: string,
): Promise<CheckpointRef> {
  const beside = `${folder}.${process.pid}${UNFINISHED}`;
  const parent = path.dirname(folder);
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent))
    if (name.startsWith(`${path.basename(folder)}.`) && name.endsWith(UNFINISHED))
      await rm(path.join(parent, name), { recursive: true, force: true });
  await mkdir(beside);
  const { grammar, ...plain } = checkpoint.spec;
  const spec = {
    ...plain,
    ...(grammar === undefined
      ? {}
      : { grammar: { ...grammar, allowed: [...grammar.allowed], next: [...grammar.next] } }),
  };
  const prefixed = (prefix: string, tensors: ReadonlyMap<string, NamedTensor>): NamedTensor[] =>
    [...tensors.values()].map((tensor) => ({ ...tensor, name: `${prefix}.${tensor.name}` }));
  const contents: Record<string, Buffer> = {
    'model.safetensors': encodeSafetensors([...checkpoint.weights.values()]),
    'optimizer.safetensors': encodeSafetensors([
      ...prefixed('first', checkpoint.first),
      ...prefixed('second', checkpoint.second),
    ]),
    'spec.json': Buffer.from(JSON.stringify(spec)),
  };
  const files: Record<string, { sha256: string; bytes: number }> = {};
  for (const [name, bytes] of Object.entries(contents)) {
    await writeFile(path.join(beside, name), bytes, { flush: true });
    files[name] = { sha256: sha256(bytes), bytes: bytes.length };
  }
  const manifest: Manifest = {
    format: 1,
    version: checkpoint.version,
    steps: checkpoint.steps,
    provenance,
    files,
  };
  const text = JSON.stringify(manifest, null, 2);
  await writeFile(path.join(beside, MANIFEST), text, { flush: true });
  await rm(folder, { recursive: true, force: true });
  await rename(beside, folder);
  return { version: checkpoint.version, folder, digest: sha256(text) };
}

/** The checkpoint of that provenance in that folder, if it is there and whole. */
export async function findCheckpoint(folder: string, provenance: string): Promise<CheckpointRef | undefined> {
  try {
    const text = await readFile(path.join(folder, MANIFEST), 'utf8');
    const manifest = JSON.parse(text) as Manifest;
    if (manifest.provenance !== provenance) return undefined;
    const ref = { version: manifest.version, folder, digest: sha256(text) };
    await loadCheckpoint(ref);
    return ref;
  } catch {
    return undefined;
  }
}

/** @throws CorruptCheckpointError naming the file that is missing or damaged. */
export async function loadCheckpoint(ref: CheckpointRef): Promise<Checkpoint> {
  const read = async (name: string): Promise<Buffer> => {
    try {
      return await readFile(path.join(ref.folder, name));
    } catch (error) {
      throw new CorruptCheckpointError(
        `checkpoint ${ref.version}: ${path.join(ref.folder, name)} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      );
    }
  };
  const text = await read(MANIFEST);
  if (sha256(text) !== ref.digest)
    throw new CorruptCheckpointError(
      `checkpoint ${ref.version}: ${path.join(ref.folder, MANIFEST)} has SHA-256 ${sha256(text)}; the log says ${ref.digest}`,
    );
  const manifest = JSON.parse(text.toString('utf8')) as Manifest;
  const contents = new Map<string, Buffer>();
  for (const [name, expected] of Object.entries(manifest.files)) {
    const bytes = await read(name);
    if (sha256(bytes) !== expected.sha256)
      throw new CorruptCheckpointError(
        `checkpoint ${ref.version}: ${path.join(ref.folder, name)} is damaged: ${bytes.length} bytes with SHA-256 ${sha256(bytes)}; the manifest says ${expected.bytes} bytes with ${expected.sha256}`,
      );
    contents.set(name, bytes);
  }
  const content = (name: string): Buffer => {
    const bytes = contents.get(name);
    if (bytes === undefined)
      throw new CorruptCheckpointError(`checkpoint ${ref.version}: the manifest names no ${name}`);
    return bytes;
  };
  const optimiser = decodeSafetensors(content('optimizer.safetensors'), 'optimizer.safetensors');
  const moments = (prefix: string): Map<string, NamedTensor> =>
    new Map(
      [...optimiser.values()]
        .filter(({ name }) => name.startsWith(`${prefix}.`))
        .map((tensor) => {
          const name = tensor.name.slice(prefix.length + 1);
          return [name, { ...tensor, name }];
        }),
    );
  return {
    version: manifest.version,
    steps: manifest.steps,
    spec: decodeSpec(content('spec.json').toString('utf8')),
    weights: decodeSafetensors(content('model.safetensors'), 'model.safetensors'),
    first: moments('first'),
    second: moments('second'),
  };
}

function decodeSpec(text: string): ModelSpec {
  const { grammar, ...plain } = JSON.parse(text) as ModelSpec & {
    grammar?: {
      vocabulary: number;
      states: number;
      allowed: number[];
      next: number[];
      start: Record<string, number>;
    };
  };
  if (grammar === undefined) return plain;
  return {
    ...plain,
    grammar: { ...grammar, allowed: Uint8Array.from(grammar.allowed), next: Int32Array.from(grammar.next) },
  };
}
