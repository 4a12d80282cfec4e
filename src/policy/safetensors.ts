/**
 * safetensors (huggingface.co/docs/safetensors): an 8-byte little-endian header length, a JSON header, then the data.
 * Float32 only, which is what checkpoints of our own hold.
 */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

export function encodeSafetensors(tensors: readonly NamedTensor[]): Buffer {
  const header: Record<string, HeaderEntry> = {};
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: 'F32', shape: [...shape], data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = JSON.stringify(header);
  // Data begins at a multiple of 8, as the format's own writers do it.
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8, ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([
    length,
    json,
    ...tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  ]);
}

/** @throws Error naming the file and what is wrong with it. */
export function decodeSafetensors(bytes: Buffer, file: string): Map<string, NamedTensor> {
  const fail = (what: string): never => {
    throw new Error(`${file} is no safetensors file: ${what}`);
  };
  if (bytes.length < 8) fail(`${bytes.length} bytes; at least 8 are needed`);
  const headerLength = Number(bytes.readBigUInt64LE());
  const begin = 8 + headerLength;
  if (begin > bytes.length)
    fail(`its header is said to have ${headerLength} bytes, the file has ${bytes.length}`);
  let header: Record<string, HeaderEntry>;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, begin)) as Record<string, HeaderEntry>;
  } catch {
    return fail('its header is not JSON');
  }
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => {
          const size = shape.reduce((product, n) => product * n, 1);
          if (dtype !== 'F32') fail(`tensor ${name} has dtype ${dtype}; accepted is F32`);
          if (to - from !== 4 * size)
            fail(`tensor ${name} has ${to - from} bytes; its shape [${shape.join(', ')}] needs ${4 * size}`);
          if (begin + to > bytes.length)
            fail(`tensor ${name} ends at byte ${begin + to}; the file has ${bytes.length}`);
          const data = new Float32Array(size);
          Buffer.from(data.buffer).set(bytes.subarray(begin + from, begin + to));
          return [name, { name, shape, data }];
        },
      ),
  );
}
