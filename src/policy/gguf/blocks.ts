/**
 * Numbers as GGUF holds them, to float32 (ggml's quants, by block of 32 numbers; d and m are binary16):
 *
 *   Q4_0   d, 16 bytes               x_j = d (low_j - 8),   x_(j+16) = d (high_j - 8)
 *   Q4_1   d, m, 16 bytes            x_j = d low_j + m,     x_(j+16) = d high_j + m
 *   Q8_0   d, 32 signed bytes        x_j = d q_j
 *
 * low_j and high_j are the halves of byte j. Products and sums are exact in binary64, so that the one rounding to float32
 * gives what arithmetic in float32 gives.
 */
import { toFloat32, type Dtype } from '../safetensors/dtypes.js';

export interface BlockFormat {
  readonly elements: number;
  readonly bytes: number;
  /** `scales`: the block's binary16 numbers; `at`: where the rest begins in `bytes`, `to`: where its numbers go. */
  readonly decode:
    Dtype | ((scales: Float32Array, bytes: Buffer, at: number, values: Float32Array, to: number) => void);
  /** Binary16 numbers at the block's begin. */
  readonly scales: number;
}

const HALF = 16;
const BLOCK = 32;

const nibbles =
  (value: (nibble: number, scales: Float32Array) => number): BlockFormat['decode'] =>
  (scales, bytes, at, values, to) => {
    for (let j = 0; j < HALF; j++) {
      const byte = bytes[at + j] as number;
      values[to + j] = value(byte & 0xf, scales);
      values[to + HALF + j] = value(byte >>> 4, scales);
    }
  };

const plain = (decode: Dtype, bytes: number): BlockFormat => ({ elements: 1, bytes, decode, scales: 0 });

/** By ggml's number of the type. */
const FORMATS: Readonly<Record<number, BlockFormat>> = {
  0: plain('F32', 4),
  1: plain('F16', 2),
  30: plain('BF16', 2),
  2: {
    elements: BLOCK,
    bytes: 18,
    scales: 1,
    decode: nibbles((nibble, [d = 0]) => d * (nibble - 8)),
  },
  3: {
    elements: BLOCK,
    bytes: 20,
    scales: 2,
    decode: nibbles((nibble, [d = 0, m = 0]) => d * nibble + m),
  },
  8: {
    elements: BLOCK,
    bytes: 34,
    scales: 1,
    decode: ([d = 0], bytes, at, values, to) => {
      for (let j = 0; j < BLOCK; j++) values[to + j] = d * bytes.readInt8(at + j);
    },
  },
};

/** undefined for a type that is not built. */
export const blockFormat = (type: number): BlockFormat | undefined => FORMATS[type];

/** @param bytes whole blocks, at an offset that is a multiple of 4. */
export function dequantise(bytes: Buffer, format: BlockFormat): Float32Array {
  const { elements, bytes: size, scales: scaleCount, decode } = format;
  if (typeof decode === 'string') return toFloat32(bytes, decode);
  const blocks = bytes.length / size;
  const values = new Float32Array(blocks * elements);
  const held = Buffer.from(new ArrayBuffer(2 * scaleCount));
  for (let block = 0; block < blocks; block++) {
    const at = block * size;
    bytes.copy(held, 0, at, at + 2 * scaleCount);
    decode(toFloat32(held, 'F16'), bytes, at + 2 * scaleCount, values, block * elements);
  }
  return values;
}
