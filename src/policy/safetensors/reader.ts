/** Tensors of safetensors files, one at a time as float32: a model is never in memory as a whole here. */
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { toFloat32 } from './dtypes.js';
import { decodeHeader, ModelFileError, type NamedTensor, type TensorEntry } from './format.js';

export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** One read takes no more than the system call does. */
const READ_BYTES = 2 ** 30;

export interface TensorSource {
  /** The file that holds the tensor, its place and type; undefined where there is none of that name. */
  find(name: string): { readonly file: string; readonly entry: TensorEntry } | undefined;
  names(): Iterable<string>;
  /** @throws ModelFileError where there is none of that name. */
  read(name: string): Promise<NamedTensor>;
  close(): Promise<void>;
}

class SafetensorsFile implements TensorSource {
  readonly file: string;
  readonly #handle: FileHandle;
  readonly #entries: ReadonlyMap<string, TensorEntry>;

  constructor(file: string, handle: FileHandle, entries: ReadonlyMap<string, TensorEntry>) {
    this.file = file;
    this.#handle = handle;
    this.#entries = entries;
  }

  names(): Iterable<string> {
    return this.#entries.keys();
  }

  find(name: string): { file: string; entry: TensorEntry } | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined ? undefined : { file: this.file, entry };
  }

  async read(name: string): Promise<NamedTensor> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new ModelFileError(`${this.file} holds no tensor ${name}`);
    const { shape, dtype, begin, end } = entry;
    return { name, shape, data: toFloat32(await readAt(this.#handle, this.file, begin, end - begin), dtype) };
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** @throws ModelFileError where it cannot be opened. */
export async function openModelFile(file: string): Promise<FileHandle> {
  try {
    return await open(file);
  } catch (error) {
    throw new ModelFileError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
}

/** @throws ModelFileError where the file ends before. */
export async function readAt(handle: FileHandle, file: string, from: number, count: number): Promise<Buffer> {
  // A slab of its own: its offset is a multiple of any element.
  const bytes = Buffer.allocUnsafeSlow(count);
  for (let at = 0; at < count;) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(READ_BYTES, count - at), from + at);
    if (bytesRead === 0)
      throw new ModelFileError(`${file} ends at byte ${from + at}; ${from + count} are needed`);
    at += bytesRead;
  }
  return bytes;
}

/** @throws ModelFileError naming what is wrong with the file. */
export async function openSafetensorsFile(file: string): Promise<TensorSource> {
  const handle = await openModelFile(file);
  try {
    const { size } = await handle.stat();
    const entries = await decodeHeader(file, size, (from, count) => readAt(handle, file, from, count));
    return new SafetensorsFile(file, handle, entries);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The weights of a model's folder: model.safetensors, or the shards that model.safetensors.index.json names. */
export async function openSafetensorsFolder(folder: string): Promise<TensorSource> {
  const indexFile = path.join(folder, INDEX_FILE);
  let index: string;
  try {
    index = await readFile(indexFile, 'utf8');
  } catch {
    const single = path.join(folder, SINGLE_FILE);
    if (await isFile(single)) return openSafetensorsFile(single);
    throw new ModelFileError(
      `${single} is missing; accepted is a folder with ${SINGLE_FILE}, or with ${INDEX_FILE} and the files that it names`,
    );
  }
  const shardOf = shardsByName(index, indexFile);
  const shards = new Map<string, TensorSource>();
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close();
  };
  const find = (name: string): ReturnType<TensorSource['find']> =>
    shards.get(shardOf.get(name) ?? '')?.find(name);
  try {
    for (const shard of new Set(shardOf.values())) {
      const file = path.join(folder, shard);
      if (!(await isFile(file)))
        throw new ModelFileError(`${file} is missing; ${indexFile} names it: all of its files are needed`);
      shards.set(shard, await openSafetensorsFile(file));
    }
    for (const [name, shard] of shardOf)
      if (find(name) === undefined)
        throw new ModelFileError(`${indexFile} says that ${shard} holds tensor ${name}; it does not`);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    names: () => shardOf.keys(),
    find,
    read: (name) => {
      const shard = shards.get(shardOf.get(name) ?? '');
      if (shard === undefined) throw new ModelFileError(`${indexFile} names no tensor ${name}`);
      return shard.read(name);
    },
    close,
  };
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() === true;
}

function shardsByName(text: string, file: string): Map<string, string> {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch {
    throw new ModelFileError(`${file} is not JSON`);
  }
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null)
    throw new ModelFileError(
      `${file} has weight_map ${JSON.stringify(map)}; accepted is an object of file names by tensor`,
    );
  return new Map(
    Object.entries(map as Record<string, unknown>).map(([name, shard]) => {
      // A name alone: what an index says is read from the model's own folder.
      if (typeof shard !== 'string' || path.basename(shard) !== shard)
        throw new ModelFileError(
          `${file} has ${JSON.stringify(shard)} for tensor ${name}; accepted are names of files in the same folder`,
        );
      return [name, shard];
    }),
  );
}
