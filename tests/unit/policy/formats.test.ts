import { describe, expect, it } from 'vitest';
import { ProtoWriter } from '../../../src/policy/engine/protobuf.js';

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
