import { describe, expect, it } from 'vitest';
import { ProtoWriter } from '../../../src/policy/engine/protobuf.js';
import { decodeSafetensors, encodeSafetensors } from '../../../src/policy/safetensors.js';

describe('protocol buffers', () => {
  it('writes the encodings of the format description', () => {
    // developers' guide: field 1 = 150 is 08 96 01; field 2 = "testing" is 12 07 74 65 73 74 69 6e 67
    expect(new ProtoWriter().varint(1, 150).finish().toString('hex')).toBe('089601');
    expect(new ProtoWriter().bytes(2, 'testing').finish().toString('hex')).toBe('120774657374696e67');
    expect(new ProtoWriter().bytes(3, new ProtoWriter().varint(1, 150)).finish().toString('hex')).toBe(
      '1a03089601',
    );
    expect(new ProtoWriter().varint(1, -1).finish().toString('hex')).toBe('08ffffffffffffffffff01');
    expect(new ProtoWriter().float(4, 1).finish().toString('hex')).toBe('250000803f');
  });
});

describe('safetensors', () => {
  const tensors = [
    { name: 'a', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, Number.MIN_VALUE, 1e30, 0) },
    { name: 'b', shape: [], data: Float32Array.of(7) },
    { name: 'nothing', shape: [0, 4], data: new Float32Array(0) },
  ];

  it('gives back what it was given, bit for bit', () => {
    const back = decodeSafetensors(encodeSafetensors(tensors), 'x');
    expect([...back.values()]).toEqual(tensors);
  });

  it('is laid out as the format says', () => {
    const bytes = encodeSafetensors(tensors);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>;
    expect(header['a']).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] });
    expect(bytes.length).toBe(8 + length + 28);
  });

  it.each([
    [Buffer.alloc(3), /x is no safetensors file: 3 bytes; at least 8 are needed/],
    [Buffer.from('ff00000000000000', 'hex'), /its header is said to have 255 bytes, the file has 8/],
    [Buffer.concat([Buffer.from('0200000000000000', 'hex'), Buffer.from('[[')]), /its header is not JSON/],
    [encodeSafetensors(tensors).subarray(0, -1), /tensor b ends at byte \d+; the file has \d+/],
  ])('refuses %#', (bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'x')).toThrow(message);
  });
});
