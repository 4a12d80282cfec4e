/** AdamW (Loshchilov and Hutter 2019), as configurations name its numbers. */
import { z } from 'zod';

const share = z.number().min(0).max(1);

export const optimiserSchema = z.strictObject({
  /** Constant (actor_rollout_ref.actor.optim.lr), but for a learner with a final one. */
  learningRate: z.number().positive(),
  betas: z.tuple([share, share]).default([0.9, 0.999]),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.01),
  /** Global-norm gradient clip; 0 is none. */
  maxGradNorm: z.number().min(0).default(1),
});
