/**
 * How a minibatch's token losses become one loss: the weight of each token of a row.
 *
 *   token      1 / T                   the mean over all tokens (the published verl's token-mean)
 *   sequence   1 / (N T_i)             the mean over rows of each row's mean
 *   group      N_g / (N T_g)           the mean over a group's tokens, groups weighing as much as they have rows
 *
 * with N rows and T loss tokens in the minibatch, T_i in row i, and N_g and T_g in the rows of group g (role and kind).
 * All three sum to 1 over the minibatch.
 *
 * `group` is ours. Under `token` a kind with answers of three tokens has little weight beside one with thoughts of twenty;
 * under `sequence` a long wrong answer is punished less a token than a short wrong one, and grows. Here kinds weigh by their
 * rows, and within a kind every token weighs the same.
 */
import type { Aggregation } from '../../learner/aggregations.js';
import type { LearnRow } from '../port.js';
import { lossTokens } from './microbatch.js';

/** @returns the weight of each of a row's loss tokens, for rows of `rows`. */
export function lossWeights(rows: readonly LearnRow[], aggregation: Aggregation): (row: LearnRow) => number {
  switch (aggregation) {
    case 'token': {
      const tokens = rows.reduce((sum, row) => sum + lossTokens(row), 0);
      return () => 1 / tokens;
    }
    case 'sequence':
      return (row) => 1 / (rows.length * lossTokens(row));
    case 'group': {
      const groups = new Map<string, { rows: number; tokens: number }>();
      for (const row of rows) {
        const group = groups.get(row.group) ?? { rows: 0, tokens: 0 };
        groups.set(row.group, { rows: group.rows + 1, tokens: group.tokens + lossTokens(row) });
      }
      return ({ group }) => {
        const sums = groups.get(group);
        if (sums === undefined)
          throw new RangeError(`group is ${group}; accepted are those of the minibatch`);
        return sums.rows / (rows.length * sums.tokens);
      };
    }
  }
}
