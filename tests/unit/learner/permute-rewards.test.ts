import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { permuteSolverRewards } from '../../../src/learner/permute-rewards.js';

const rows = Array.from({ length: 60 }, (_, i) => ({
  role: i % 3 === 0 ? 'propose' : 'solve',
  kind: i % 2 === 0 ? 'deduction' : 'abduction',
  subjectId: `s${i % 20}`,
  sample: i,
  reward: i / 10,
}));
const rewardsOf = (list: typeof rows, role: string, kind: string): number[] =>
  list.filter((row) => row.role === role && row.kind === kind).map(({ reward }) => reward);
const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

describe('permuted solver rewards', () => {
  it('are the same rewards within each kind, moved, and touch nothing else', () => {
    const permuted = permuteSolverRewards(rows, 7);
    for (const kind of ['deduction', 'abduction']) {
      expect(rewardsOf(permuted, 'propose', kind)).toEqual(rewardsOf(rows, 'propose', kind));
      expect(ascending(rewardsOf(permuted, 'solve', kind))).toEqual(
        ascending(rewardsOf(rows, 'solve', kind)),
      );
      expect(rewardsOf(permuted, 'solve', kind)).not.toEqual(rewardsOf(rows, 'solve', kind));
    }
    const bare = (list: typeof rows) => list.map(({ reward: _reward, ...rest }) => rest);
    expect(bare(permuted)).toEqual(bare(rows));
  });

  it('depend on the seed and on the order of the rows, or on the one that is given', () => {
    expect(permuteSolverRewards(rows, 7)).not.toEqual(permuteSolverRewards(rows, 8));
    const byRow = (list: typeof rows) => new Map(list.map(({ sample, reward }) => [sample, reward]));
    const bySample = (a: (typeof rows)[number], b: (typeof rows)[number]): number => a.sample - b.sample;
    expect(byRow(permuteSolverRewards([...rows].reverse(), 7))).not.toEqual(
      byRow(permuteSolverRewards(rows, 7)),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (shuffled) => {
        expect(byRow(permuteSolverRewards(shuffled, 7, bySample))).toEqual(
          byRow(permuteSolverRewards(rows, 7)),
        );
      }),
      { numRuns: 20 },
    );
  });
});
