import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { similarity } from '../../../src/reward/intrinsic/sequence-matcher.js';

/** The definition read off directly: the longest common block, the first of equals, then left and right of it. */
function matching(a: string, b: string): number {
  let best: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) {
      let size = 0;
      while (i + size < a.length && j + size < b.length && a[i + size] === b[j + size]) size++;
      if (size > best[2]) best = [i, j, size];
    }
  const [i, j, size] = best;
  if (size === 0) return 0;
  return size + matching(a.slice(0, i), b.slice(0, j)) + matching(a.slice(i + size), b.slice(j + size));
}

describe('similarity', () => {
  it('is 2 M / T', () => {
    // bcd is common: 2 * 3 / 8.
    expect(similarity('abcd', 'bcde')).toBe(0.75);
    expect(similarity('', '')).toBe(1);
    expect(similarity('a', '')).toBe(0);
    // The block `ab` of b's head is taken first; what is left and right of it holds nothing more.
    expect(similarity('ab', 'abxab')).toBe(4 / 7);
  });

  it('leaves frequent characters of a long second text out as anchors, and grows blocks over them', () => {
    const long = 'a'.repeat(200);
    expect(similarity('ba', long)).toBe(0);
    // Where no anchor is found, an empty block at the head of both grows.
    expect(similarity('a', long)).toBe(2 / 201);
    expect(similarity('a', 'a'.repeat(199))).toBe(2 / 200);
    // z is rare: the block at z grows over the frequent a on its left.
    expect(similarity('aaz', `${long}z`)).toBe((2 * 3) / 204);
    // 300 characters: up to 4 places are rare.
    expect(similarity('q', `bqqqq${'a'.repeat(295)}`)).toBe(2 / 301);
    expect(similarity('q', `bqqqqq${'a'.repeat(294)}`)).toBe(0);
  });

  it('is what the definition says for short texts', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const total = a.length + b.length;
        expect(similarity(a, b)).toBe(total === 0 ? 1 : (2 * matching(a, b)) / total);
      }),
      { numRuns: 500, seed: 11 },
    );
  });
});
