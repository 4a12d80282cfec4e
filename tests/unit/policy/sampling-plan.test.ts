import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRequest, planSampling } from '../../../src/policy/engine/sampling-batches.js';
import { uniform } from '../../../src/policy/engine/uniforms.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';
import type { SampleRequest } from '../../../src/policy/port.js';

const spec = tinySpec({ layers: 1, width: 8, heads: 2, hidden: 16, context: 40 });
const request = (over: Partial<SampleRequest>): SampleRequest => ({
  id: 'r',
  prompt: [2],
  seed: 1,
  temperature: 1,
  maxTokens: 10,
  grammar: 'solve.deduction',
  ...over,
});

describe('planSampling', () => {
  it('puts every request into exactly one batch, rows of a prompt side by side', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ prompt: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 3 }) }),
          {
            maxLength: 200,
          },
        ),
        fc.integer({ min: 1, max: 40 }),
        (partial, batchRows) => {
          const requests = partial.map((over) => request(over));
          const batches = planSampling(requests, batchRows);
          expect(batches.flatMap(({ indices }) => indices).sort((a, b) => a - b)).toEqual(
            requests.map((_, i) => i),
          );
          for (const { share, indices } of batches) {
            expect(indices.length % share).toBe(0);
            expect(indices.length).toBeLessThanOrEqual(batchRows);
            indices.forEach((index, i) =>
              expect(requests[index]?.prompt).toEqual(requests[indices[i - (i % share)] ?? -1]?.prompt),
            );
          }
        },
      ),
    );
  });

  it('shares a prompt among its samples', () => {
    const requests = Array.from({ length: 64 }, (_, i) => request({ prompt: [2, Math.floor(i / 8)] }));
    expect(planSampling(requests).map(({ share, indices }) => [share, indices.length])).toEqual([[8, 64]]);
  });
});

describe('checkRequest', () => {
  it.each([
    [{ prompt: [] }, /prompt of r is empty/],
    [{ prompt: [99] }, /holds token 99; accepted are integers from 0 to/],
    [{ maxTokens: 0 }, /maxTokens of r is 0/],
    [{ maxTokens: 40 }, /at most context, 40/],
    [{ temperature: -1 }, /temperature of r is -1/],
    [{ temperature: Number.NaN }, /temperature of r is NaN/],
    [{ seed: 0.5 }, /seed of r is 0.5/],
    [{ topK: 0 }, /topK of r is 0; accepted are integers from 1/],
    [{ topK: 1.5 }, /topK of r is 1.5/],
    [{ topP: 0 }, /topP of r is 0; accepted are numbers above 0/],
    [{ topP: Number.NaN }, /topP of r is NaN/],
    [{ minP: 1.1 }, /minP of r is 1.1; accepted are numbers from 0/],
    [{ stop: [''] }, /stop of r holds an empty string/],
    [{ stop: ['x'] }, /stop of r is given without tokenTexts/],
    [{ grammar: 'solve.nothing' }, /"solve.nothing"; accepted are propose.deduction/],
  ])('refuses %j', (over, message) => {
    expect(() => checkRequest(spec, request(over))).toThrow(message);
  });
});

describe('uniform', () => {
  it('lies inside (0, 1), edges excluded, and below any float32 sum it scales', () => {
    for (let seed = 0; seed < 2000; seed++) {
      const u = uniform(seed * 7919, seed % 50);
      expect(u).toBeGreaterThan(0);
      expect(Math.fround(Math.fround(u) * Math.fround(0.99999994))).toBeLessThan(Math.fround(0.99999994));
    }
  });

  it('is a function of seed and place, and spreads evenly over both', () => {
    expect(uniform(123_456_789_012, 7)).toBe(uniform(123_456_789_012, 7));
    for (const draw of [
      (i: number) => uniform(i, 3),
      (i: number) => uniform(2 ** 40 + 5, i),
      (i: number) => uniform(i * 2 ** 32, 0),
    ]) {
      const bins = new Array<number>(20).fill(0);
      const n = 20_000;
      for (let i = 0; i < n; i++) bins[Math.floor(draw(i) * 20)]! += 1;
      const chi2 = bins.reduce((sum, count) => sum + (count - n / 20) ** 2 / (n / 20), 0);
      // 19 degrees of freedom: 0.9999 quantile is 50.8.
      expect(chi2).toBeLessThan(50.8);
    }
  });

  it('neighbouring places and seeds are uncorrelated', () => {
    const n = 20_000;
    const correlation = (a: (i: number) => number, b: (i: number) => number): number => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (a(i) - 0.5) * (b(i) - 0.5);
      return (sum / n) * 12;
    };
    expect(
      Math.abs(
        correlation(
          (i) => uniform(i, 0),
          (i) => uniform(i, 1),
        ),
      ),
    ).toBeLessThan(0.03);
    expect(
      Math.abs(
        correlation(
          (i) => uniform(i, 4),
          (i) => uniform(i + 1, 4),
        ),
      ),
    ).toBeLessThan(0.03);
  });
});
