/** Names of the advantage estimators, as configurations have them. */
export const ADVANTAGES = [
  'trr_plus_plus',
  'trr_plus_plus_token_weighted',
  'grpo',
  'rloo',
  'reinforce_plus_plus',
] as const;
export type AdvantageName = (typeof ADVANTAGES)[number];
