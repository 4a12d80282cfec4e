/**
 * Checkpoints: a folder of weights, optimiser state and the model's specification; each file digested, the manifest
 * written last, the folder moved into place whole. Half a checkpoint does not exist.
 *
 * Tensors are written and read one at a time: a model is never in script memory as a whole, unless loadCheckpoint is
 * asked for it.
 *
 * Of a model of which adapters alone are trained, a checkpoint holds the adapters and their moments. The frozen weights
 * are named by their digest: version 0 holds them, and the others say in a file of their own where they were. That file
 * is not part of the digest: the same step gives the same checkpoint wherever it is written.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { trainedShapes } from '../policy/engine/lora.js';
import { parameterShapes } from '../policy/engine/parameters.js';
import type { CheckpointRef, ModelSpec } from '../policy/port.js';
import type { NamedTensor } from '../policy/safetensors/format.js';
import { openSafetensorsFile, SINGLE_FILE, type TensorSource } from '../policy/safetensors/reader.js';
import { writeSafetensorsFile, type WrittenFile } from '../policy/safetensors/writer.js';
import { sizeOf } from '../policy/shape.js';

/** A checkpoint is not what its manifest says; names the file. */
export class CorruptCheckpointError extends Error {
  override readonly name = 'CorruptCheckpointError';
}

interface CheckpointHead {
  readonly version: number;
  readonly spec: ModelSpec;
  /** Optimiser steps so far. */
  readonly steps: number;
}

/** What is trained, and the optimiser's first and second moments. */
export type CheckpointPart = 'weights' | 'first' | 'second';

/** A file of frozen weights. */
export interface FrozenFile {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** What is saved: values by part and parameter, asked for once each, in the order of trainedShapes. */
export interface CheckpointContent extends CheckpointHead {
  /** Whether the optimiser has moments; without them it begins anew. */
  readonly hasMoments: boolean;
  readonly read: (part: CheckpointPart, name: string) => Float32Array | Promise<Float32Array>;
  /** Where the model has adapters: the weights beneath, to be written here, or where they are. */
  readonly frozen?: FrozenFile | { readonly read: (name: string) => Float32Array | Promise<Float32Array> };
}

/** What is on disk, whole and undamaged. */
export interface OpenCheckpoint extends CheckpointHead {
  /** What is trained. */
  readonly weights: TensorSource;
  /** Of a model with adapters; openFrozen opens it. */
  readonly frozen: FrozenFile | undefined;
  /** Named `first.` and `second.` and the parameter. */
  readonly moments: TensorSource | undefined;
  close(): Promise<void>;
}

/** All of a checkpoint in memory, but for what is frozen. */
export interface Checkpoint extends CheckpointHead {
  readonly weights: ReadonlyMap<string, NamedTensor>;
  readonly first: ReadonlyMap<string, NamedTensor>;
  readonly second: ReadonlyMap<string, NamedTensor>;
}

export function contentOf(checkpoint: Checkpoint): CheckpointContent {
  return {
    ...checkpoint,
    hasMoments: true,
    read: (part, name) => {
      const tensor = checkpoint[part].get(name);
      if (tensor === undefined) throw new RangeError(`${part} has no ${name}`);
      return tensor.data;
    },
  };
}

interface Manifest {
  readonly format: 1;
  readonly version: number;
  readonly steps: number;
  /** What it was made from: a retried step finds its own result by this. */
  readonly provenance: string;
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>;
  /** The frozen weights beneath adapters. */
  readonly frozen?: { readonly sha256: string; readonly bytes: number };
}

const MANIFEST = 'manifest.json';
const OPTIMISER = 'optimizer.safetensors';
const SPEC = 'spec.json';
const ADAPTERS = 'adapters.safetensors';
/** Where the frozen weights are, from here; absent: here. */
const FROZEN_AT = 'frozen.json';
const UNFINISHED = '.tmp';
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Writes beside the folder, then moves into place. What stood there (the same step from other inputs, or damaged) is
 * replaced; what earlier writers left unfinished is removed.
 * @param provenance a digest of everything the checkpoint is a function of.
 */
export async function saveCheckpoint(
  checkpoint: CheckpointContent,
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
  const shapes = trainedShapes(checkpoint.spec);
  const written: WrittenFile[] = [
    await writeSafetensorsFile(path.join(beside, weightsFile(checkpoint.spec)), shapes, (name) =>
      checkpoint.read('weights', name),
    ),
  ];
  const frozen = await saveFrozen(checkpoint, beside, folder);
  if (frozen !== undefined && !('file' in frozen)) written.push(frozen);
  if (checkpoint.hasMoments) {
    const moments = (['first', 'second'] as const).flatMap((part) =>
      shapes.map(({ name, shape }) => ({ part, parameter: name, name: `${part}.${name}`, shape })),
    );
    const byName = new Map(moments.map((moment) => [moment.name, moment]));
    written.push(
      await writeSafetensorsFile(path.join(beside, OPTIMISER), moments, (name) => {
        const moment = byName.get(name);
        if (moment === undefined) throw new Error(`no moment ${name}`);
        return checkpoint.read(moment.part, moment.parameter);
      }),
    );
  }
  const specText = Buffer.from(JSON.stringify(spec));
  await writeFile(path.join(beside, SPEC), specText, { flush: true });
  written.push({ name: SPEC, bytes: specText.length, sha256: sha256(specText) });
  const files = Object.fromEntries(written.map(({ name, bytes, sha256 }) => [name, { sha256, bytes }]));
  const manifest: Manifest = {
    format: 1,
    version: checkpoint.version,
    steps: checkpoint.steps,
    provenance,
    files,
    ...(frozen === undefined ? {} : { frozen: { sha256: frozen.sha256, bytes: frozen.bytes } }),
  };
  const text = JSON.stringify(manifest, null, 2);
  await writeFile(path.join(beside, MANIFEST), text, { flush: true });
  await rm(folder, { recursive: true, force: true });
  await rename(beside, folder);
  return { version: checkpoint.version, folder, digest: sha256(text) };
}

const weightsFile = ({ lora }: ModelSpec): string => (lora === undefined ? SINGLE_FILE : ADAPTERS);

/** Into the folder `beside`, which will be `folder`: the frozen weights, or where they are. */
async function saveFrozen(
  { spec, frozen }: CheckpointContent,
  beside: string,
  folder: string,
): Promise<WrittenFile | FrozenFile | undefined> {
  if ((spec.lora === undefined) !== (frozen === undefined))
    throw new TypeError(
      `frozen weights are ${frozen === undefined ? 'missing; a model with' : 'given; a model without'} adapters is saved`,
    );
  if (frozen === undefined) return undefined;
  if ('read' in frozen)
    return writeSafetensorsFile(path.join(beside, SINGLE_FILE), parameterShapes(spec), (name) =>
      frozen.read(name),
    );
  const file = path.relative(folder, frozen.file);
  await writeFile(path.join(beside, FROZEN_AT), `${JSON.stringify({ file })}\n`, { flush: true });
  return frozen;
}

/** The checkpoint of that provenance in that folder, if it is there and whole. */
export async function findCheckpoint(folder: string, provenance: string): Promise<CheckpointRef | undefined> {
  try {
    const text = await readFile(path.join(folder, MANIFEST), 'utf8');
    const manifest = JSON.parse(text) as Manifest;
    if (manifest.provenance !== provenance) return undefined;
    const ref = { version: manifest.version, folder, digest: sha256(text) };
    await (await openCheckpoint(ref)).close();
    return ref;
  } catch {
    return undefined;
  }
}

/**
 * Every file's digest is checked, then the tensors can be read. The caller closes it.
 * @throws CorruptCheckpointError naming the file that is missing or damaged.
 */
export async function openCheckpoint(ref: CheckpointRef): Promise<OpenCheckpoint> {
  const at = (name: string): string => path.join(ref.folder, name);
  const unreadable = (name: string, error: unknown): CorruptCheckpointError =>
    new CorruptCheckpointError(
      `checkpoint ${ref.version}: ${at(name)} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  const text = await readFile(at(MANIFEST)).catch((error: unknown) => {
    throw unreadable(MANIFEST, error);
  });
  if (sha256(text) !== ref.digest)
    throw new CorruptCheckpointError(
      `checkpoint ${ref.version}: ${at(MANIFEST)} has SHA-256 ${sha256(text)}; the log says ${ref.digest}`,
    );
  const manifest = JSON.parse(text.toString('utf8')) as Manifest;
  for (const [name, expected] of Object.entries(manifest.files)) {
    const found = await digestOf(at(name)).catch((error: unknown) => {
      throw unreadable(name, error);
    });
    if (found.sha256 !== expected.sha256)
      throw new CorruptCheckpointError(
        `checkpoint ${ref.version}: ${at(name)} is damaged: ${found.bytes} bytes with SHA-256 ${found.sha256}; the manifest says ${expected.bytes} bytes with ${expected.sha256}`,
      );
  }
  const named = (name: string): string => {
    if (manifest.files[name] === undefined)
      throw new CorruptCheckpointError(`checkpoint ${ref.version}: the manifest names no ${name}`);
    return at(name);
  };
  const spec = decodeSpec(await readFile(named(SPEC), 'utf8'));
  const frozen = await findFrozen(ref, manifest, spec);
  const weights = await openSafetensorsFile(named(weightsFile(spec)));
  const moments =
    manifest.files[OPTIMISER] === undefined ? undefined : await openSafetensorsFile(at(OPTIMISER));
  return {
    version: manifest.version,
    steps: manifest.steps,
    spec,
    weights,
    frozen,
    moments,
    close: async () => {
      await weights.close();
      await moments?.close();
    },
  };
}

/** @throws CorruptCheckpointError where the frozen weights are not where the checkpoint says. */
async function findFrozen(
  { version, folder }: CheckpointRef,
  { frozen }: Manifest,
  { lora }: ModelSpec,
): Promise<FrozenFile | undefined> {
  if (lora === undefined) return undefined;
  if (frozen === undefined)
    throw new CorruptCheckpointError(
      `checkpoint ${version} in ${folder} has adapters, and its manifest names no frozen weights`,
    );
  const text = await readFile(path.join(folder, FROZEN_AT), 'utf8').catch(() => undefined);
  const at = text === undefined ? SINGLE_FILE : (JSON.parse(text) as { file: string }).file;
  const file = path.resolve(folder, at);
  const size = (await stat(file).catch(() => undefined))?.size;
  if (size !== frozen.bytes)
    throw new CorruptCheckpointError(
      `checkpoint ${version}: its frozen weights are ${file}, ${size === undefined ? 'which is not there' : `which has ${size} bytes`}; accepted is the file of ${frozen.bytes} bytes with SHA-256 ${frozen.sha256}, which version 0 holds`,
    );
  return { file, ...frozen };
}

/** The weights beneath adapters, once their digest is checked. The caller closes it. @throws CorruptCheckpointError where it differs. */
export async function openFrozen({ file, sha256: expected }: FrozenFile): Promise<TensorSource> {
  const found = await digestOf(file);
  if (found.sha256 !== expected)
    throw new CorruptCheckpointError(
      `the frozen weights in ${file} are damaged: SHA-256 ${found.sha256}; the checkpoint says ${expected}`,
    );
  return openSafetensorsFile(file);
}

export async function digestOf(file: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** @throws CorruptCheckpointError as openCheckpoint does. */
export async function loadCheckpoint(ref: CheckpointRef): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(ref);
  try {
    const { version, spec, steps, weights, moments } = checkpoint;
    const all = async (
      source: TensorSource | undefined,
      prefix: string,
    ): Promise<Map<string, NamedTensor>> => {
      const tensors = new Map<string, NamedTensor>();
      for (const { name, shape } of trainedShapes(spec)) {
        const data =
          source === undefined ? new Float32Array(sizeOf(shape)) : (await source.read(prefix + name)).data;
        tensors.set(name, { name, shape, data });
      }
      return tensors;
    };
    return {
      version,
      spec,
      steps,
      weights: await all(weights, ''),
      first: await all(moments, 'first.'),
      second: await all(moments, 'second.'),
    };
  } finally {
    await checkpoint.close();
  }
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
