import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grammarStates, grammarTables } from '../../../src/policy/engine/grammar-states.js';
import { checkLearnConfig } from '../../../src/policy/engine/learn-config.js';
import { checkRow, inputLength, planMicrobatches } from '../../../src/policy/engine/microbatch.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';
import { warmUpRows } from '../../../src/policy/tiny/warm-up.js';
import type { GrammarTable, LearnConfig, LearnRow } from '../../../src/policy/port.js';
import { Random } from '../../../src/random.js';
import { WARM_UP_MIX } from '../../support/warm-up-mix.js';

const spec = tinySpec({ layers: 1, width: 8, heads: 2, hidden: 16, context: 96 });
const mix = { ...WARM_UP_MIX, proposeShare: 0.5 };

describe('planMicrobatches', () => {
  it('takes every row once and at most maxRows at a time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 64 }),
        (lengths, maxRows) => {
          const parts = planMicrobatches(lengths, maxRows);
          expect(parts.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
          for (const part of parts) expect(part.length).toBeLessThanOrEqual(maxRows);
        },
      ),
    );
  });

  it('keeps short rows away from long ones where that saves padding', () => {
    const lengths = [...Array.from({ length: 200 }, () => 10), ...Array.from({ length: 20 }, () => 60)];
    expect(planMicrobatches(lengths, 512).map((part) => new Set(part.map((i) => lengths[i])).size)).toEqual([
      1, 1,
    ]);
  });

  it('refuses a row count that is none', () => {
    expect(() => planMicrobatches([1], 0)).toThrow(/microbatchRows is 0; accepted are integers from 1/);
  });
});

describe('grammarStates', () => {
  it('walks the automaton over what the warm-up writes', () => {
    for (const row of warmUpRows(3, 60, mix)) {
      const states = grammarStates(spec, row);
      expect(states[0]).toBe(spec.grammar?.start[row.group]);
      row.completion.forEach((token, i) =>
        expect(spec.grammar?.allowed[(states[i] ?? 0) * spec.vocabulary + token]).toBe(1),
      );
    }
  });

  it('refuses a token that the grammar does not allow, and names it', () => {
    expect(() => grammarStates(spec, { id: 'x', grammar: 'solve.deduction', completion: [0] })).toThrow(
      /row x: token 0 at place 0 is not allowed by the grammar solve.deduction/,
    );
  });

  it('has a state after the grammar in which all is allowed, for rows without one', () => {
    const { bias, next, states } = grammarTables(spec.grammar as GrammarTable, -1e9);
    const free = states - 1;
    expect([...grammarStates(spec, { id: 'x', completion: [5, 6] })]).toEqual([free, free]);
    for (let t = 0; t < spec.vocabulary; t++) {
      expect(bias[free * spec.vocabulary + t]).toBe(0);
      expect(next[free * spec.vocabulary + t]).toBe(free);
    }
  });
});

/** Share of what goes through the model that is padding. */
function paddingShare(lengths: readonly number[], maxRows: number): number {
  let [tokens, places] = [0, 0];
  for (const part of planMicrobatches(lengths, maxRows)) {
    const own = part.map((i) => lengths[i] ?? 0);
    tokens += own.reduce((sum, length) => sum + length, 0);
    places += own.length * Math.max(...own);
  }
  return 1 - tokens / places;
}

describe('padding', () => {
  /** Lengths of texts: the logarithm is normal (Box and Muller 1958), cut to what a model takes. */
  const texts = (count: number, median: number, sigma: number): number[] => {
    const random = new Random(3);
    return Array.from({ length: count }, () => {
      const normal =
        Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
      return Math.max(20, Math.min(8096, Math.round(median * Math.exp(sigma * normal))));
    });
  };

  it.each([
    ['rows of the tiny policy, as its preset takes them', warmUpRows(5, 1200, mix).map(inputLength), 512],
    ['the rows of a published step', texts(384, 600, 0.8), 16],
    ['rows of every length', texts(384, 300, 1.2), 16],
    ['few texts', texts(18, 600, 0.5), 8],
  ])('is under a tenth for %s', (_what, lengths, maxRows) => {
    const share = paddingShare(lengths, maxRows);
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(0.1);
    // In the order that they come in it would be far more.
    const cut = Array.from({ length: Math.ceil(lengths.length / maxRows) }, (_, i) =>
      lengths.slice(i * maxRows, (i + 1) * maxRows),
    );
    const places = cut.reduce((sum, part) => sum + part.length * Math.max(...part), 0);
    expect(1 - lengths.reduce((sum, length) => sum + length, 0) / places).toBeGreaterThan(share);
  });
});

describe('checks of rows and configurations', () => {
  const row: LearnRow = {
    id: 'x',
    group: 'g',
    prompt: [2],
    completion: [3, 4],
    logProbs: [-1, -1],
    advantage: 1,
  };
  it.each([
    [{ prompt: [] }, /prompt of row x is empty/],
    [{ completion: [] }, /completion of row x is empty/],
    [{ logProbs: [-1] }, /row x has 1 logProbs; accepted is one a completion token, 2/],
    [{ advantage: Number.NaN }, /advantage of row x is NaN/],
    [
      { completion: Array.from({ length: 110 }, () => 3) },
      /row x has 111 tokens; accepted are at most context, 96/,
    ],
    [{ prompt: [-1] }, /row x holds token -1/],
    [{ mask: [true] }, /mask of row x has 1 entries; accepted is one a completion token, 2/],
    [{ mask: [false, false] }, /mask of row x has no token/],
  ])('refuses the row %j', (over, message) => {
    expect(() => checkRow(spec, { ...row, ...over }, true)).toThrow(message);
  });

  const config: LearnConfig = {
    learningRate: 1e-3,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
    clipLow: 0.2,
    clipHigh: 0.2,
    entropyCoefficient: 0,
    minibatches: 1,
    microbatchRows: 8,
    aggregation: 'token',
    shuffleSeed: 0,
  };
  it.each([
    [{ learningRate: -1 }, /learningRate is -1/],
    [{ betas: [0.9, 1] as const }, /betas\[1\] is 1; accepted are numbers from 0 to below 1/],
    [{ epsilon: 0 }, /epsilon is 0/],
    [{ minibatches: 0 }, /minibatches is 0; accepted are integers from 1/],
    [{ clipLow: 2 }, /clipLow is 2/],
    [{ aggregation: 'sum' as 'token' }, /aggregation is "sum"; accepted are token, sequence, group/],
    [{ compute: 'float16' as 'float32' }, /compute is "float16"; accepted are float32, bfloat16/],
  ])('refuses the configuration %j', (over, message) => {
    expect(() => checkLearnConfig({ ...config, ...over })).toThrow(message);
  });
});
