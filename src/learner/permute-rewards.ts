/**
 * The control of control.permuteSolverRewards: within each role and kind every solver row gets the reward of another one,
 * by a permutation that a seed from coordinates fixes. Rewards keep their distribution and lose their meaning, so what a
 * policy still learns it does not learn from being right.
 */
import { seedOf } from '../coordinates.js';
import { Random } from '../random.js';

export interface PermutableRow {
  readonly role: string;
  readonly kind: string;
  readonly reward: number;
}

/**
 * @param seed from coordinates (run, iteration).
 * @param compare the order that the permutation rests on; default: that of the rows.
 * @returns rows in their order, rewards of `solve` rows permuted.
 */
export function permuteSolverRewards<T extends PermutableRow>(
  rows: readonly T[],
  seed: number,
  compare: (a: T, b: T) => number = () => 0,
): T[] {
  const permuted = [...rows];
  const kinds = new Set(rows.filter(({ role }) => role === 'solve').map(({ kind }) => kind));
  for (const kind of kinds) {
    const places = rows
      .map((row, place) => ({ row, place }))
      .filter(({ row }) => row.role === 'solve' && row.kind === kind)
      .sort((a, b) => compare(a.row, b.row));
    const random = new Random(seedOf(seed, 'solve', kind));
    for (const [i, from] of random.shuffle(places).entries()) {
      const to = places[i];
      if (to !== undefined) permuted[to.place] = { ...to.row, reward: from.row.reward };
    }
  }
  return permuted;
}
