import { describe, expect, it } from 'vitest';
import { AGGREGATIONS } from '../../../src/learner/aggregations.js';
import { lossWeights } from '../../../src/policy/engine/loss-weights.js';
import type { LearnRow } from '../../../src/policy/port.js';

const row = (group: string, tokens: number, mask?: boolean[]): LearnRow => ({
  id: `${group}.${tokens}`,
  group,
  prompt: [1],
  completion: Array.from({ length: tokens }, () => 2),
  logProbs: [],
  advantage: 1,
  ...(mask === undefined ? {} : { mask }),
});

// Two groups of different lengths; the last row has one loss token of two.
const rows = [row('a', 20), row('a', 4), row('b', 3), row('b', 1), row('b', 2, [true, false])];
const lossTokens = [20, 4, 3, 1, 1];

describe('weights of tokens in the loss', () => {
  it.each([
    ['token', [1, 1, 1, 1, 1].map((w) => w / 29)],
    ['sequence', [1 / 20, 1 / 4, 1 / 3, 1, 1].map((w) => w / 5)],
    // Two rows of five with 24 tokens, three of five with 5.
    ['group', [2 / 24, 2 / 24, 3 / 5, 3 / 5, 3 / 5].map((w) => w / 5)],
  ] as const)('%s', (aggregation, expected) => {
    const weights = rows.map(lossWeights(rows, aggregation));
    weights.forEach((weight, i) => expect(weight).toBeCloseTo(expected[i] ?? Number.NaN, 12));
  });

  it.each(AGGREGATIONS)('sum to 1 over a minibatch: %s', (aggregation) => {
    const weights = rows.map(lossWeights(rows, aggregation));
    expect(weights.reduce((sum, weight, i) => sum + weight * (lossTokens[i] ?? 0), 0)).toBeCloseTo(1, 12);
  });

  it('has none for a row of a group that the minibatch lacks', () => {
    expect(() => lossWeights(rows, 'group')(row('c', 1))).toThrow(
      'group is c; accepted are those of the minibatch',
    );
  });
});
