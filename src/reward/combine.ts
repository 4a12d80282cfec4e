/**
 * How intrinsic terms join learnability u (the published intrinsic_combine_method):
 *
 *   sum           u + c1 + c2 + ...            multiply      u c1 c2 ...
 *   sum_multiply  u + c1 c2 ...                multiply_sum  u (c1 + c2 + ...)
 *
 * Without terms the result is u.
 */
export const COMBINE_METHODS = ['sum', 'multiply', 'sum_multiply', 'multiply_sum'] as const;
export type CombineMethod = (typeof COMBINE_METHODS)[number];

/** @param u learnability. @param terms values of the enabled terms, bounded already. */
export function combine(u: number, terms: readonly number[], method: CombineMethod): number {
  if (terms.length === 0) return u;
  const sum = terms.reduce((total, term) => total + term, 0);
  const product = terms.reduce((total, term) => total * term, 1);
  switch (method) {
    case 'sum':
      return u + sum;
    case 'multiply':
      return u * product;
    case 'sum_multiply':
      return u + product;
    case 'multiply_sum':
      return u * sum;
  }
}
