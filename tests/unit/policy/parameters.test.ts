import { describe, expect, it } from 'vitest';
import { checkSpec, initialValues, parameterShapes } from '../../../src/policy/engine/parameters.js';
import type { ModelSpec } from '../../../src/policy/port.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';

const spec = tinySpec({ layers: 2, width: 32, heads: 4, hidden: 48, context: 40 });
const grammar = spec.grammar as NonNullable<ModelSpec['grammar']>;

describe('parameters', () => {
  it('have the shapes of the architecture', () => {
    const count = parameterShapes(spec).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const { vocabulary: v, width: d, hidden: h, layers } = spec;
    expect(count).toBe(v * d + d + layers * (2 * d + 4 * d * d + 3 * d * h));
  });

  it('start from a seed, with the stated deviations', () => {
    const values = initialValues(spec, 5);
    expect(initialValues(spec, 5)).toEqual(values);
    expect(initialValues(spec, 6)).not.toEqual(values);
    for (const { name, initial } of parameterShapes(spec)) {
      const data = values.get(name) as Float32Array;
      const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
      const deviation = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
      if (initial === 'ones') expect([mean, deviation]).toEqual([1, 0]);
      else if (initial === 'zeros') expect([mean, deviation]).toEqual([0, 0]);
      else expect(Math.abs(deviation / initial - 1)).toBeLessThan(0.1);
    }
  });

  it.each([
    [{ layers: 0 }, /layers is 0; accepted are integers from 1/],
    [{ width: 30 }, /width is 30; accepted are multiples of heads, which is 4/],
    [{ width: 12 }, /width \/ heads is 3; accepted are even numbers/],
    [{ padToken: -1 }, /padToken is -1/],
    [{ endToken: 1.5 }, /endToken is 1.5/],
    [
      { grammar: { ...grammar, states: 1 } },
      /grammar.allowed has \d+ entries .* accepted is states \* vocabulary/,
    ],
    [{ grammar: { ...grammar, start: { x: 10_000 } } }, /grammar.start\[x\] is 10000; accepted are states/],
    [
      { grammar: { ...grammar, next: new Int32Array(grammar.next.length).fill(-1) } },
      /is -1 where the token is allowed/,
    ],
  ])('refuses %#', (over, message) => {
    expect(() => checkSpec({ ...spec, ...over })).toThrow(message);
  });
});
