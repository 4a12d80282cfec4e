import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { knownKeys, leaves, schemaKeys, setAt, valueAt, type Values } from '../../../src/config/key-paths.js';

const schema = z.strictObject({
  a: z.strictObject({ b: z.number().default(1) }).prefault({}),
  c: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('x'), one: z.number() }),
    z.strictObject({ kind: z.literal('y'), two: z.strictObject({ three: z.string() }).nullable() }),
  ]),
});

describe('dotted keys', () => {
  it('of a schema, behind defaults, options and unions', () => {
    expect(schemaKeys(schema)).toEqual(['a', 'a.b', 'c', 'c.kind', 'c.one', 'c.two', 'c.two.three']);
  });

  it('known at a place: those of the branch that the values choose', () => {
    expect(knownKeys(schema, [])).toEqual(['a', 'c']);
    expect(knownKeys(schema, ['a'])).toEqual(['b']);
    expect(knownKeys(schema, ['c'], { c: { kind: 'y' } })).toEqual(['kind', 'two']);
    expect(knownKeys(schema, ['c'], { c: { kind: 'z' } })).toEqual(['kind', 'one', 'two']);
    expect(knownKeys(schema, ['nowhere', 'at', 'all'])).toEqual([]);
  });

  it('of values: read, set, listed', () => {
    const values: Values = { a: { b: [1, 2] } };
    expect(valueAt(values, 'a.b')).toEqual([1, 2]);
    expect(valueAt(values, 'a.b.c')).toBeUndefined();
    expect(valueAt(values, 'a.toString')).toBeUndefined();
    expect(setAt(values, 'x.y.z', null)).toBeUndefined();
    expect(setAt(values, 'a.b.c', 1)).toBe('a.b');
    expect(leaves(values)).toEqual([
      ['a.b', [1, 2]],
      ['x.y.z', null],
    ]);
  });

  it('never reach a prototype', () => {
    const values: Values = {};
    setAt(values, '__proto__.polluted', true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(values)).toEqual(['__proto__']);
  });
});
