/** Each estimator worked by hand, and what must hold of all of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advantageEstimators,
  ADVANTAGES,
  type AdvantageName,
  type RewardedRow,
} from '../../../../src/learner/advantages/index.js';

/** Two prompts of two attempts, a third alone, and two proposals. */
const ROWS: readonly RewardedRow[] = [
  { group: 'solve.deduction', prompt: 'a', reward: 1, tokens: 2 },
  { group: 'propose.deduction', prompt: 'p', reward: -1, tokens: 4 },
  { group: 'solve.deduction', prompt: 'a', reward: 0, tokens: 6 },
  { group: 'solve.deduction', prompt: 'b', reward: 1, tokens: 1 },
  { group: 'propose.deduction', prompt: 'q', reward: 0.5, tokens: 2 },
  { group: 'solve.deduction', prompt: 'b', reward: 1, tokens: 1 },
  { group: 'solve.deduction', prompt: 'c', reward: 0, tokens: 2 },
];

const close = (name: AdvantageName, rows: readonly RewardedRow[], expected: readonly number[]): void => {
  const { advantages } = advantageEstimators[name](rows);
  expect(advantages).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(advantages[i], `${name}, row ${i}`).toBeCloseTo(value, 12));
};

describe('worked by hand', () => {
  // solve: rewards 1 0 1 1 0, mean 0.6, squares 3 * 0.16 + 2 * 0.36 = 1.2, variance 0.3
  const solve = Math.sqrt(0.3);
  // propose: rewards -1 and 0.5, mean -0.25, squares 2 * 0.5625, variance 1.125
  const propose = 0.75 / Math.sqrt(1.125);

  it('trr_plus_plus', () => {
    const [up, down] = [0.4 / solve, -0.6 / solve];
    close('trr_plus_plus', ROWS, [up, -propose, down, up, propose, up, down]);
    expect(advantageEstimators.trr_plus_plus(ROWS).baselines[0]).toEqual({
      group: 'solve.deduction',
      count: 5,
      mean: expect.closeTo(0.6, 12) as number,
      std: expect.closeTo(solve, 12) as number,
    });
  });

  it('trr_plus_plus_token_weighted', () => {
    // solve: 12 tokens, 4 of reward 1: mean 1/3, squares 4 * 4/9 + 8 * 1/9 = 24/9, variance 24/99
    const std = Math.sqrt(24 / 99 + 1e-8);
    // propose: 6 tokens, -4 + 1 = -3: mean -0.5, squares 4 * 0.25 + 2 * 1 = 3, variance 0.6
    const other = Math.sqrt(0.6 + 1e-8);
    const [up, down] = [2 / 3 / std, -1 / 3 / std];
    close('trr_plus_plus_token_weighted', ROWS, [up, -0.5 / other, down, up, 1 / other, up, down]);
    const [solver] = advantageEstimators.trr_plus_plus_token_weighted(ROWS).baselines;
    expect(solver?.mean).toBeCloseTo(1 / 3, 12);
    expect(solver?.std).toBeCloseTo(Math.sqrt(24 / 99), 12);
    expect(solver?.count).toBe(5);
  });

  it('grpo: by prompt, and by role and kind where a completion is alone', () => {
    const half = 0.5 / Math.sqrt(0.5);
    close('grpo', ROWS, [half, -propose, -half, 0, propose, 0, -0.6 / solve]);
  });

  it('rloo: the others of the prompt, and of the role and kind where a completion is alone', () => {
    close('rloo', ROWS, [1, -1.5, -1, 0, 1.5, 0, -0.75]);
  });

  it('reinforce_plus_plus: one baseline', () => {
    // rewards 1 -1 0 1 0.5 1 0: mean 2.5 / 7, squares 4.25 - 6.25 / 7
    const mean = 2.5 / 7;
    const std = Math.sqrt((4.25 - 6.25 / 7) / 6);
    close(
      'reinforce_plus_plus',
      ROWS,
      ROWS.map(({ reward }) => (reward - mean) / std),
    );
  });
});

const row = fc.record({
  group: fc.constantFrom('solve.deduction', 'solve.abduction', 'propose.induction'),
  prompt: fc.constantFrom('a', 'b', 'c', 'd'),
  reward: fc.constantFrom(-1, -0.5, 0, 0.125, 0.5, 1),
  tokens: fc.integer({ min: 1, max: 40 }),
});
// A prompt belongs to one role and kind.
const rowsOf = fc
  .array(row, { maxLength: 40 })
  .map((rows) => rows.map((r) => ({ ...r, prompt: `${r.group} ${r.prompt}` })));

describe.each(ADVANTAGES)('%s', (name) => {
  const estimate = advantageEstimators[name];

  it('gives nothing for nothing, and 0 where all rewards are equal', () => {
    expect(estimate([])).toEqual({ advantages: [], baselines: [] });
    const equal = ROWS.map((r) => ({ ...r, reward: 0.1 }));
    for (const advantage of estimate(equal).advantages) expect(advantage).toBeCloseTo(0, 9);
    const [alone] = ROWS;
    if (alone !== undefined) expect(estimate([alone]).advantages[0]).toBeCloseTo(0, 12);
  });

  it('is finite, does not look at the order of rows, and ignores a shift of all rewards', () => {
    fc.assert(
      fc.property(rowsOf, fc.integer({ min: -4, max: 4 }), (rows, shift) => {
        const { advantages } = estimate(rows);
        expect(advantages.every(Number.isFinite)).toBe(true);
        const reversed = estimate([...rows].reverse()).advantages;
        const shifted = estimate(rows.map((r) => ({ ...r, reward: r.reward + shift }))).advantages;
        advantages.forEach((advantage, i) => {
          expect(reversed[rows.length - 1 - i]).toBeCloseTo(advantage, 8);
          expect(shifted[i]).toBeCloseTo(advantage, 8);
        });
      }),
    );
  });

  it('orders completions of one baseline by their rewards', () => {
    const solver = (rewards: readonly number[]): RewardedRow[] =>
      rewards.map((reward) => ({ group: 'solve.deduction', prompt: 'a', reward, tokens: 3 }));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 2, maxLength: 12 }), (rewards) => {
        const { advantages } = estimate(solver(rewards));
        rewards.forEach((reward, i) =>
          rewards.forEach((other, j) => {
            if (reward > other) expect(advantages[i]).toBeGreaterThan(advantages[j] ?? Number.NaN);
          }),
        );
        expect(advantages.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 8);
      }),
    );
  });
});

describe('task-relative baselines', () => {
  it('keep a role and kind apart from the others; one batch baseline does not', () => {
    const solve = ROWS.filter(({ group }) => group === 'solve.deduction');
    const places = ROWS.flatMap(({ group }, i) => (group === 'solve.deduction' ? [i] : []));
    for (const name of ADVANTAGES) {
      const together = advantageEstimators[name](ROWS).advantages;
      const alone = advantageEstimators[name](solve).advantages;
      const same = places.every((place, i) => Math.abs((together[place] ?? 0) - (alone[i] ?? 0)) < 1e-9);
      expect(same, name).toBe(name !== 'reinforce_plus_plus');
    }
  });
});
