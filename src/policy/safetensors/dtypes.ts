/**
 * Numbers as safetensors holds them, to float32 and back: IEEE 754 binary32 and binary16, and bfloat16, which is
 * binary32's upper half. Narrowing rounds to nearest, ties to even.
 */
export const ELEMENT_BYTES = { F32: 4, F16: 2, BF16: 2 } as const;
export type Dtype = keyof typeof ELEMENT_BYTES;

export function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(ELEMENT_BYTES, value);
}

/** @param bytes at an offset that is a multiple of 4; F32 is not copied. */
export function toFloat32(bytes: Buffer, dtype: Dtype): Float32Array {
  const count = bytes.length / ELEMENT_BYTES[dtype];
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  const values = new Float32Array(count);
  if (dtype === 'F16') {
    const table = halfTable();
    for (let i = 0; i < count; i++) values[i] = table[halves[i] as number] as number;
    return values;
  }
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < count; i++) bits[i] = (halves[i] as number) << 16;
  return values;
}

/** F32 is not copied. */
export function fromFloat32(values: Float32Array, dtype: Dtype): Buffer {
  if (dtype === 'F32') return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const narrow = dtype === 'F16' ? toHalf : toBrain;
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = narrow(bits[i] as number);
  return Buffer.from(halves.buffer);
}

/** binary32 bits -> bfloat16 bits */
function toBrain(bits: number): number {
  // NaN stays NaN, whatever its payload's lower half.
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** binary32 bits -> binary16 bits; what is too large becomes infinity. */
function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65520 on: nearer to 2^16 than to the largest binary16, 65504.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  const exponent = magnitude >>> 23;
  // Below 2^-14 the result is subnormal: its unit is 2^-24.
  const shift = exponent < 113 ? 126 - exponent : 13;
  if (shift > 24) return sign;
  const mantissa = exponent < 113 ? (magnitude & 0x7fffff) | 0x800000 : magnitude - (112 << 23);
  const rounded = mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1);
  return sign | (rounded >>> shift);
}

let halves: Float32Array | undefined;

/** The value of each binary16. */
function halfTable(): Float32Array {
  if (halves !== undefined) return halves;
  halves = new Float32Array(2 ** 16);
  for (let i = 0; i < halves.length; i++) {
    const sign = i & 0x8000 ? -1 : 1;
    const exponent = (i >>> 10) & 0x1f;
    const fraction = i & 0x3ff;
    halves[i] =
      exponent === 0x1f
        ? fraction === 0
          ? sign * Infinity
          : Number.NaN
        : exponent === 0
          ? sign * fraction * 2 ** -24
          : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return halves;
}
