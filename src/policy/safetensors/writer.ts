/** safetensors files written tensor by tensor: what is in memory is one tensor. */
import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ELEMENT_BYTES, fromFloat32, type Dtype } from './dtypes.js';
import { sizeOf } from '../shape.js';
import { encodeHeader, ModelFileError, type TensorShape } from './format.js';
import { INDEX_FILE, SINGLE_FILE } from './reader.js';

export interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The values of a tensor, row-major; asked for once each, in the order of the tensors. */
export type TensorData = (name: string) => Float32Array | Promise<Float32Array>;

export interface FolderOptions {
  /** Default F32. */
  readonly dtype?: Dtype;
  /** Bytes of data from which on a model is cut into shards; default 5 GB, as Transformers does it. */
  readonly shardBytes?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Flushed to disk when it returns. */
export async function writeSafetensorsFile(
  file: string,
  tensors: readonly TensorShape[],
  data: TensorData,
  { dtype = 'F32', metadata }: Pick<FolderOptions, 'dtype' | 'metadata'> = {},
): Promise<WrittenFile> {
  const handle = await open(file, 'w');
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    const put = async (part: Buffer): Promise<void> => {
      hash.update(part);
      bytes += part.length;
      for (let at = 0; at < part.length;) at += (await handle.write(part, at)).bytesWritten;
    };
    await put(encodeHeader(tensors, dtype, metadata));
    for (const { name, shape } of tensors) {
      const values = await data(name);
      if (values.length !== sizeOf(shape))
        throw new RangeError(
          `tensor ${name} has ${values.length} values; shape [${shape.join(', ')}] needs ${sizeOf(shape)}`,
        );
      const encoded = fromFloat32(values, dtype);
      if (dtype === 'F16') checkFits(file, name, values);
      await put(encoded);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { name: path.basename(file), bytes, sha256: hash.digest('hex') };
}

/** Half the distance beyond the largest binary16: from here on a value rounds to infinity. */
const HALF_OVERFLOW = 65_520;

function checkFits(file: string, name: string, values: Float32Array): void {
  const at = values.findIndex((value) => Math.abs(value) >= HALF_OVERFLOW && Number.isFinite(value));
  if (at >= 0)
    throw new ModelFileError(
      `${file}: tensor ${name} holds ${values[at] ?? ''} at ${at}; F16 accepts magnitudes below ${HALF_OVERFLOW}`,
    );
}

/** model.safetensors, or shards and their index where the data is longer than `shardBytes`. */
export async function writeSafetensorsFolder(
  folder: string,
  tensors: readonly TensorShape[],
  data: TensorData,
  { dtype = 'F32', shardBytes = 5_000_000_000, metadata }: FolderOptions = {},
): Promise<WrittenFile[]> {
  const options = metadata === undefined ? { dtype } : { dtype, metadata };
  const bytesOf = ({ shape }: TensorShape): number => sizeOf(shape) * ELEMENT_BYTES[dtype];
  const shards: TensorShape[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const last = shards.at(-1) as TensorShape[];
    if (last.length > 0 && filled + bytesOf(tensor) > shardBytes) {
      shards.push([tensor]);
      filled = 0;
    } else last.push(tensor);
    filled += bytesOf(tensor);
  }
  const [only] = shards;
  if (only !== undefined && shards.length === 1)
    return [await writeSafetensorsFile(path.join(folder, SINGLE_FILE), only, data, options)];
  const number = (n: number): string => String(n).padStart(5, '0');
  const written: WrittenFile[] = [];
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    written.push(await writeSafetensorsFile(path.join(folder, name), shard, data, options));
    for (const tensor of shard) weightMap[tensor.name] = name;
  }
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const index = Buffer.from(
    `${JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }, null, 2)}\n`,
  );
  await writeFile(path.join(folder, INDEX_FILE), index, { flush: true });
  const sha256 = createHash('sha256').update(index).digest('hex');
  return [...written, { name: INDEX_FILE, bytes: index.length, sha256 }];
}
