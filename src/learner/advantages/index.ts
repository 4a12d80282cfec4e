/** Advantage estimators by the name that a configuration gives them (learner.advantage). */
import type { AdvantageEstimator } from './estimate.js';
import { grpo } from './grpo.js';
import { reinforcePlusPlus } from './reinforce-plus-plus.js';
import { rloo } from './rloo.js';
import { trrPlusPlus } from './trr-plus-plus.js';
import { trrPlusPlusTokenWeighted } from './trr-plus-plus-token-weighted.js';
import type { AdvantageName } from './names.js';

export type * from './estimate.js';
export { ADVANTAGES, type AdvantageName } from './names.js';

export const advantageEstimators: Readonly<Record<AdvantageName, AdvantageEstimator>> = {
  trr_plus_plus: trrPlusPlus,
  trr_plus_plus_token_weighted: trrPlusPlusTokenWeighted,
  grpo,
  rloo,
  reinforce_plus_plus: reinforcePlusPlus,
};
