/**
 * The safetensors format (huggingface.co/docs/safetensors): an 8-byte little-endian header length, a JSON header, then
 * the data. Header entries are `name: {dtype, shape, data_offsets: [begin, end]}`, counted from the header's end.
 */
import { sizeOf } from '../shape.js';
import { ELEMENT_BYTES, isDtype, type Dtype } from './dtypes.js';

export interface TensorShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Row-major. */
export interface NamedTensor extends TensorShape {
  readonly data: Float32Array;
}

export interface TensorEntry extends TensorShape {
  readonly dtype: Dtype;
  /** Bytes from the file's begin. */
  readonly begin: number;
  readonly end: number;
}

/** A model's file is not what it should be; the message names the file, what stands there and what is accepted. */
export class ModelFileError extends Error {
  override readonly name = 'ModelFileError';
}

const LENGTH_BYTES = 8;
/** What the format's own reader allows. */
const MAX_HEADER_BYTES = 100_000_000;

/** The file's first bytes: length and header. Data begins at a multiple of 8, as the format's own writers do it. */
export function encodeHeader(
  tensors: readonly TensorShape[],
  dtype: Dtype,
  metadata?: Readonly<Record<string, string>>,
): Buffer {
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape } of tensors) {
    const end = offset + sizeOf(shape) * ELEMENT_BYTES[dtype];
    header[name] = { dtype, shape: [...shape], data_offsets: [offset, end] };
    offset = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const json = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  text.copy(json);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

/**
 * @param read bytes of the file: from, count.
 * @throws ModelFileError naming the file, the tensor and what is wrong with it.
 */
export async function decodeHeader(
  file: string,
  bytes: number,
  read: (from: number, count: number) => Promise<Buffer>,
): Promise<Map<string, TensorEntry>> {
  const fail = (what: string): never => {
    throw new ModelFileError(`${file} is no safetensors file: ${what}`);
  };
  if (bytes < LENGTH_BYTES) fail(`${bytes} bytes; at least ${LENGTH_BYTES} are needed`);
  const headerLength = Number((await read(0, LENGTH_BYTES)).readBigUInt64LE());
  const begin = LENGTH_BYTES + headerLength;
  if (begin > bytes) fail(`its header is said to have ${headerLength} bytes, the file has ${bytes}`);
  if (headerLength > MAX_HEADER_BYTES)
    fail(`its header has ${headerLength} bytes; accepted are at most ${MAX_HEADER_BYTES}`);
  let header: unknown;
  try {
    header = JSON.parse((await read(LENGTH_BYTES, headerLength)).toString('utf8'));
  } catch {
    fail('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    return fail('its header is no JSON object');
  const entries = new Map<string, TensorEntry>();
  for (const [name, entry] of Object.entries(header as Record<string, unknown>)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
    if (!isDtype(dtype))
      return fail(
        `tensor ${name} has dtype ${String(dtype)}; accepted are ${Object.keys(ELEMENT_BYTES).join(', ')}`,
      );
    if (!isCounts(shape))
      return fail(`tensor ${name} has shape ${JSON.stringify(shape)}; accepted are integers from 0`);
    if (!isCounts(offsets) || offsets.length !== 2)
      return fail(
        `tensor ${name} has data_offsets ${JSON.stringify(offsets)}; accepted are two integers from 0`,
      );
    const [from, to] = offsets as [number, number];
    const needed = sizeOf(shape) * ELEMENT_BYTES[dtype];
    if (to - from !== needed)
      fail(`tensor ${name} has ${to - from} bytes; its shape [${shape.join(', ')}] needs ${needed}`);
    if (begin + to > bytes) fail(`tensor ${name} ends at byte ${begin + to}; the file has ${bytes}`);
    entries.set(name, { name, shape, dtype, begin: begin + from, end: begin + to });
  }
  return entries;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}
