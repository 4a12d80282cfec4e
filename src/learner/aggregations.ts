/** Names of the ways to a loss's mean (policy/engine/loss-weights.ts), for configurations. */
export const AGGREGATIONS = ['token', 'sequence', 'group'] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];
