/** The few protocol-buffer encodings that a TensorFlow GraphDef needs (protobuf.dev/programming-guides/encoding). */
export class ProtoWriter {
  readonly #parts: Buffer[] = [];

  /** Wire type 0. */
  varint(field: number, value: number | bigint): this {
    this.#parts.push(varintBytes((field << 3) | 0), varintBytes(value));
    return this;
  }

  /** Wire type 5: IEEE 754, 32 bits. */
  float(field: number, value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    this.#parts.push(varintBytes((field << 3) | 5), bytes);
    return this;
  }

  /** Wire type 2. */
  bytes(field: number, value: Buffer | string | ProtoWriter): this {
    const body = value instanceof ProtoWriter ? value.finish() : Buffer.from(value as Buffer);
    this.#parts.push(varintBytes((field << 3) | 2), varintBytes(body.length), body);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function varintBytes(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}
