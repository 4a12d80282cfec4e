/** safetensors files: layout, types, shards, and what is refused. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromFloat32, toFloat32 } from '../../../src/policy/safetensors/dtypes.js';
import type { NamedTensor } from '../../../src/policy/safetensors/format.js';
import {
  openSafetensorsFile,
  openSafetensorsFolder,
  type TensorSource,
} from '../../../src/policy/safetensors/reader.js';
import { writeSafetensorsFile, writeSafetensorsFolder } from '../../../src/policy/safetensors/writer.js';

const tensors = [
  { name: 'a', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, Number.MIN_VALUE, 1e30, 0) },
  { name: 'b', shape: [], data: Float32Array.of(7) },
  { name: 'nothing', shape: [0, 4], data: new Float32Array(0) },
];
const dataOf = (list: readonly NamedTensor[]) => (name: string) =>
  (list.find((tensor) => tensor.name === name) as NamedTensor).data;

async function readAll(source: TensorSource): Promise<NamedTensor[]> {
  const read: NamedTensor[] = [];
  for (const name of source.names()) read.push(await source.read(name));
  await source.close();
  return read;
}

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-safetensors-'));
  file = path.join(folder, 'x.safetensors');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a safetensors file', () => {
  it('gives back what it was given, bit for bit', async () => {
    await writeSafetensorsFile(file, tensors, dataOf(tensors));
    expect(await readAll(await openSafetensorsFile(file))).toEqual(tensors);
  });

  it('is laid out as the format says', async () => {
    await writeSafetensorsFile(file, tensors, dataOf(tensors), { metadata: { format: 'pt' } });
    const bytes = await readFile(file);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>;
    expect(header['__metadata__']).toEqual({ format: 'pt' });
    expect(header['a']).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] });
    expect(bytes.length).toBe(8 + length + 28);
  });

  it('has names that are no ASCII, with the right header length', async () => {
    const named = [{ name: 'gewichtß€', shape: [1], data: Float32Array.of(3) }];
    await writeSafetensorsFile(file, named, dataOf(named));
    expect(await readAll(await openSafetensorsFile(file))).toEqual(named);
  });

  const header = (entry: object): Buffer => {
    const json = Buffer.from(JSON.stringify({ t: entry }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(8)]);
  };
  it.each([
    [Buffer.alloc(3), /x\.safetensors is no safetensors file: 3 bytes; at least 8 are needed/],
    [Buffer.from('ff00000000000000', 'hex'), /its header is said to have 255 bytes, the file has 8/],
    [Buffer.concat([Buffer.from('0200000000000000', 'hex'), Buffer.from('[[')]), /its header is not JSON/],
    [
      Buffer.concat([Buffer.from('0200000000000000', 'hex'), Buffer.from('[]')]),
      /its header is no JSON object/,
    ],
    [
      header({ dtype: 'I64', shape: [1], data_offsets: [0, 8] }),
      /tensor t has dtype I64; accepted are F32, F16, BF16/,
    ],
    [
      header({ dtype: 'F32', shape: [3], data_offsets: [0, 8] }),
      /tensor t has 8 bytes; its shape \[3\] needs 12/,
    ],
    [
      header({ dtype: 'F32', shape: [4], data_offsets: [0, 16] }),
      /tensor t ends at byte \d+; the file has \d+/,
    ],
    [header({ dtype: 'F32', shape: [-1], data_offsets: [0, 8] }), /tensor t has shape \[-1\]/],
  ])('is refused where it is damaged, %#', async (bytes, message) => {
    await writeFile(file, bytes);
    await expect(openSafetensorsFile(file)).rejects.toThrow(message);
  });
});

describe('narrow types', () => {
  /** The nearest of all binary16 values, by search: what the rounding is checked against. */
  const all = Array.from({ length: 2 ** 16 }, (_, i) => i);
  const halfOf = toFloat32(Buffer.from(Uint16Array.from(all).buffer), 'F16');

  it('holds every binary16 value exactly, both ways', () => {
    expect(halfOf[0x3c00]).toBe(1);
    expect(halfOf[0x0001]).toBe(2 ** -24);
    expect(halfOf[0x7bff]).toBe(65_504);
    expect(halfOf[0xfc00]).toBe(-Infinity);
    const back = new Uint16Array(fromFloat32(halfOf, 'F16').buffer);
    for (const i of all) if (!Number.isNaN(halfOf[i])) expect(back[i]).toBe(i);
  });

  it.each(['F16', 'BF16'] as const)('rounds to the nearest %s, ties to even', (dtype) => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const x = Math.fround(value);
        const bits = fromFloat32(Float32Array.of(x), dtype).readUInt16LE();
        const as = (b: number): number =>
          toFloat32(Buffer.from(Uint16Array.of(b, 0).buffer), dtype)[0] as number;
        const got = as(bits);
        if (!Number.isFinite(got)) return Math.abs(x) >= (dtype === 'F16' ? 65_520 : 3.3895e38);
        const distance = Math.abs(got - x);
        // Neighbours in magnitude, whose bits are one apart.
        return [bits - 1, bits + 1]
          .filter((b) => (b & 0x8000) === (bits & 0x8000) && b >= 0 && Number.isFinite(as(b)))
          .every((b) => {
            const other = Math.abs(as(b) - x);
            return distance < other || (distance === other && bits % 2 === 0);
          });
      }),
      { numRuns: 2000 },
    );
  });

  it('are read from and written to files', async () => {
    for (const dtype of ['F16', 'BF16'] as const) {
      const exact = [{ name: 'a', shape: [3], data: Float32Array.of(0.5, -3, 2 ** -10) }];
      await writeSafetensorsFile(file, exact, dataOf(exact), { dtype });
      const source = await openSafetensorsFile(file);
      expect(source.find('a')?.entry.dtype).toBe(dtype);
      expect(await readAll(source)).toEqual(exact);
    }
  });

  it('refuse what overflows, by name', async () => {
    const large = [{ name: 'a', shape: [2], data: Float32Array.of(1, -1e6) }];
    await expect(writeSafetensorsFile(file, large, dataOf(large), { dtype: 'F16' })).rejects.toThrow(
      /tensor a holds -1000000 at 1; F16 accepts magnitudes below 65520/,
    );
  });
});

describe('a folder of shards', () => {
  it('is read as one, and named as Transformers names it', async () => {
    const written = await writeSafetensorsFolder(folder, tensors, dataOf(tensors), { shardBytes: 25 });
    expect(written.map(({ name }) => name)).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ]);
    expect(JSON.parse(await readFile(path.join(folder, 'model.safetensors.index.json'), 'utf8'))).toEqual({
      metadata: { total_size: 28 },
      weight_map: {
        a: 'model-00001-of-00002.safetensors',
        b: 'model-00002-of-00002.safetensors',
        nothing: 'model-00002-of-00002.safetensors',
      },
    });
    expect(await readAll(await openSafetensorsFolder(folder))).toEqual(tensors);
  });

  it('is one file where it is short enough', async () => {
    await writeSafetensorsFolder(folder, tensors, dataOf(tensors));
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    expect(await readAll(await openSafetensorsFolder(folder))).toEqual(tensors);
  });

  it('names a shard that is missing, and one that does not hold what the index says', async () => {
    await writeSafetensorsFolder(folder, tensors, dataOf(tensors), { shardBytes: 25 });
    const [first, second] = [1, 2].map((i) => path.join(folder, `model-0000${i}-of-00002.safetensors`)) as [
      string,
      string,
    ];
    await writeFile(second, await readFile(first));
    await expect(openSafetensorsFolder(folder)).rejects.toThrow(
      /index\.json says that model-00002-of-00002\.safetensors holds tensor b; it does not/,
    );
    await rm(second);
    await expect(openSafetensorsFolder(folder)).rejects.toThrow(
      `${second} is missing; ${path.join(folder, 'model.safetensors.index.json')} names it`,
    );
  });

  it('never reads outside itself', async () => {
    const index = { weight_map: { a: '../x.safetensors' } };
    await writeFile(path.join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
    await expect(openSafetensorsFolder(folder)).rejects.toThrow(
      /accepted are names of files in the same folder/,
    );
  });
});
