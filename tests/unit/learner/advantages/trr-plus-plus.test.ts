import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trrPlusPlus } from '../../../../src/learner/advantages/trr-plus-plus.js';

/** Completions of one token, each with a prompt of its own. */
const taskRelativeAdvantages = (rows: readonly { group: string; reward: number }[]) =>
  trrPlusPlus(rows.map((row, i) => ({ ...row, prompt: String(i), tokens: 1 })));

describe('task-relative advantages', () => {
  it('has one baseline a group: worked by hand', () => {
    const { advantages, baselines } = taskRelativeAdvantages([
      { group: 'solve.deduction', reward: 1 },
      { group: 'propose.deduction', reward: -1 },
      { group: 'solve.deduction', reward: 0 },
      { group: 'propose.deduction', reward: 0.5 },
      { group: 'solve.deduction', reward: 0 },
      { group: 'solve.deduction', reward: 1 },
    ]);
    // mean 0.5, variance 4 * 0.25 / 3
    const std = Math.sqrt(1 / 3);
    expect(baselines).toEqual([
      { group: 'solve.deduction', count: 4, mean: 0.5, std },
      { group: 'propose.deduction', count: 2, mean: -0.25, std: Math.sqrt(2 * 0.75 ** 2) },
    ]);
    const half = 0.75 / Math.sqrt(2 * 0.75 ** 2);
    [0.5 / std, -half, -0.5 / std, half, -0.5 / std, 0.5 / std].forEach((expected, i) =>
      expect(advantages[i]).toBeCloseTo(expected, 12),
    );
  });

  it('gives 0 where all rewards of a group are equal, one row alone included', () => {
    const rows = [0.1, 0.1, 0.1].map((reward) => ({ group: 'a', reward }));
    expect(taskRelativeAdvantages([...rows, { group: 'b', reward: 7 }]).advantages).toEqual([0, 0, 0, 0]);
    expect(taskRelativeAdvantages([])).toEqual({ advantages: [], baselines: [] });
  });

  it('is centred, has unit deviation, and ignores shift and scale of rewards and the other groups', () => {
    const rewards = fc.array(fc.integer({ min: -10, max: 10 }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(
        rewards,
        rewards,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: -5, max: 5 }),
        (a, b, scale, shift) => {
          const rows = (values: readonly number[], group: string): { group: string; reward: number }[] =>
            values.map((reward) => ({ group, reward }));
          const alone = taskRelativeAdvantages(rows(a, 'a')).advantages;
          const moved = taskRelativeAdvantages([
            ...rows(b, 'b'),
            ...rows(
              a.map((r) => scale * r + shift),
              'a',
            ),
          ]).advantages.slice(b.length);
          alone.forEach((advantage, i) => expect(moved[i]).toBeCloseTo(advantage, 9));
          expect(alone.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 9);
          if (new Set(a).size > 1)
            expect(alone.reduce((sum, x) => sum + x * x, 0) / (a.length - 1)).toBeCloseTo(1, 9);
        },
      ),
    );
  });
});
