/**
 * GGUF, the file format of llama.cpp (github.com/ggml-org/ggml, docs/gguf.md): metadata by key, then the tensors' names,
 * shapes, types and offsets, then their data. Versions 2 and 3, little-endian. Tensors are read one at a time.
 *
 *   "GGUF", u32 version, u64 tensors, u64 keys; key: string, u32 type, value; string: u64 length, UTF-8;
 *   tensor: string, u32 dimensions, u64 each (the fastest first), u32 type, u64 offset from the data's begin, which is the
 *   next multiple of general.alignment (default 32)
 */
import type { FileHandle } from 'node:fs/promises';
import { ModelFileError, type NamedTensor, type TensorShape } from '../safetensors/format.js';
import { openModelFile, readAt } from '../safetensors/reader.js';
import { sizeOf } from '../shape.js';
import { blockFormat, dequantise, type BlockFormat } from './blocks.js';

export type GgufValue = string | number | boolean | readonly GgufValue[];

export interface GgufFile {
  readonly file: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Row-major: the dimensions in the other order than the file's. */
  readonly tensors: ReadonlyMap<string, TensorShape>;
  /** Dequantised. @throws ModelFileError where there is none of that name. */
  read(name: string): Promise<NamedTensor>;
  close(): Promise<void>;
}

interface TensorInfo extends TensorShape {
  readonly format: BlockFormat;
  /** Bytes from the data's begin. */
  readonly offset: number;
  readonly bytes: number;
}

const MAGIC = 'GGUF';
const VERSIONS = [2, 3];
const DEFAULT_ALIGNMENT = 32;
/** ggml's own bound. */
const MAX_DIMENSIONS = 4;
const WINDOW_BYTES = 2 ** 20;
const STRING = 8;
const ARRAY = 9;

/** Values of fixed size, by their number in the format. */
const SCALARS: Readonly<
  Record<number, { bytes: number; read: (from: Buffer) => number | bigint | boolean }>
> = {
  0: { bytes: 1, read: (from) => from.readUInt8() },
  1: { bytes: 1, read: (from) => from.readInt8() },
  2: { bytes: 2, read: (from) => from.readUInt16LE() },
  3: { bytes: 2, read: (from) => from.readInt16LE() },
  4: { bytes: 4, read: (from) => from.readUInt32LE() },
  5: { bytes: 4, read: (from) => from.readInt32LE() },
  6: { bytes: 4, read: (from) => from.readFloatLE() },
  7: { bytes: 1, read: (from) => from.readUInt8() !== 0 },
  10: { bytes: 8, read: (from) => from.readBigUInt64LE() },
  11: { bytes: 8, read: (from) => from.readBigInt64LE() },
  12: { bytes: 8, read: (from) => from.readDoubleLE() },
};

/** What is read in order, through a window that moves. */
class Cursor {
  readonly #handle: FileHandle;
  readonly #file: string;
  readonly #size: number;
  #window: Buffer = Buffer.alloc(0);
  /** Of the window's next byte, in the window and in the file. */
  #at = 0;
  position = 0;

  constructor(handle: FileHandle, file: string, size: number) {
    this.#handle = handle;
    this.#file = file;
    this.#size = size;
  }

  fail(what: string): never {
    throw new ModelFileError(`${this.#file} is no GGUF file: ${what}`);
  }

  async take(count: number): Promise<Buffer> {
    if (count > this.#size - this.position)
      this.fail(`${count} bytes are needed at ${this.position}; the file has ${this.#size}`);
    if (this.#at + count > this.#window.length) {
      const length = Math.min(Math.max(count, WINDOW_BYTES), this.#size - this.position);
      this.#window = await readAt(this.#handle, this.#file, this.position, length);
      this.#at = 0;
    }
    const taken = this.#window.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.position += count;
    return taken;
  }

  async u32(): Promise<number> {
    return (await this.take(4)).readUInt32LE();
  }

  async count(): Promise<number> {
    const value = Number((await this.take(8)).readBigUInt64LE());
    // Whatever is counted takes a byte each: a longer count is damage.
    if (value > this.#size) this.fail(`a count of ${value} at ${this.position - 8}`);
    return value;
  }

  async string(): Promise<string> {
    return (await this.take(await this.count())).toString('utf8');
  }

  async value(type: number): Promise<GgufValue> {
    if (type === STRING) return this.string();
    if (type === ARRAY) {
      const element = await this.u32();
      if (element === ARRAY) this.fail('an array of arrays');
      const length = await this.count();
      const values: GgufValue[] = [];
      for (let i = 0; i < length; i++) values.push(await this.value(element));
      return values;
    }
    const scalar = SCALARS[type];
    if (scalar === undefined) return this.fail(`a value of type ${type}; accepted are 0 to 12`);
    const value = scalar.read(await this.take(scalar.bytes));
    return typeof value === 'bigint' ? Number(value) : value;
  }
}

/** @throws ModelFileError naming what is wrong with the file. The caller closes what is returned. */
export async function openGguf(file: string): Promise<GgufFile> {
  const handle = await openModelFile(file);
  try {
    const { size } = await handle.stat();
    return await readHeader(handle, file, size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readHeader(handle: FileHandle, file: string, size: number): Promise<GgufFile> {
  const cursor = new Cursor(handle, file, size);
  const magic = (await cursor.take(4)).toString('latin1');
  if (magic !== MAGIC) cursor.fail(`it begins with ${JSON.stringify(magic)}; accepted is "${MAGIC}"`);
  const version = await cursor.u32();
  if (!VERSIONS.includes(version))
    cursor.fail(`its version is ${version}; accepted are ${VERSIONS.join(', ')}`);
  const [tensorCount, keyCount] = [await cursor.count(), await cursor.count()];
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = await cursor.string();
    metadata.set(key, await cursor.value(await cursor.u32()));
  }
  const tensors = new Map<string, TensorInfo>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await tensorInfo(cursor);
    tensors.set(tensor.name, tensor);
  }
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== 'number' || !Number.isInteger(alignment) || alignment < 1)
    return cursor.fail(`general.alignment is ${JSON.stringify(alignment)}; accepted are integers from 1`);
  const begin = Math.ceil(cursor.position / alignment) * alignment;
  for (const { name, offset, bytes } of tensors.values())
    if (begin + offset + bytes > size)
      cursor.fail(`tensor ${name} ends at byte ${begin + offset + bytes}; the file has ${size}`);
  return {
    file,
    metadata,
    tensors,
    read: async (name) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new ModelFileError(`${file} holds no tensor ${name}`);
      const { shape, format, offset, bytes } = tensor;
      const data = dequantise(await readAt(handle, file, begin + offset, bytes), format);
      return { name, shape, data };
    },
    close: () => handle.close(),
  };
}

async function tensorInfo(cursor: Cursor): Promise<TensorInfo> {
  const name = await cursor.string();
  const dimensions = await cursor.u32();
  if (dimensions > MAX_DIMENSIONS)
    cursor.fail(`tensor ${name} has ${dimensions} dimensions; accepted are up to ${MAX_DIMENSIONS}`);
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i++) shape.unshift(await cursor.count());
  const type = await cursor.u32();
  const format = blockFormat(type);
  if (format === undefined)
    return cursor.fail(
      `tensor ${name} has type ${type}; accepted are F32, F16, BF16, Q4_0, Q4_1, Q8_0 (0, 1, 30, 2, 3, 8)`,
    );
  const row = shape.at(-1) ?? 1;
  if (row % format.elements !== 0)
    cursor.fail(`tensor ${name} has rows of ${row}; accepted are multiples of ${format.elements}`);
  const offset = Number((await cursor.take(8)).readBigUInt64LE());
  return { name, shape, format, offset, bytes: (sizeOf(shape) / format.elements) * format.bytes };
}
