/** Steps by role: factories over their dependencies. A role's worker serves the queue of the same name. */
import type {
  EvaluateSteps,
  LearnerSteps,
  OrchestrateSteps,
  RolloutSteps,
  SandboxSteps,
} from '../../workflows/steps.js';
import type {
  EvaluateDependencies,
  LearnerDependencies,
  RolloutDependencies,
  SandboxDependencies,
} from './dependencies.js';
import { makeEvaluate } from './evaluate.js';
import { makeLearn } from './learn.js';
import { makeLifecycle, type LifecycleDependencies } from './lifecycle.js';
import { makePlantSeeds } from './plant-seeds.js';
import { makePropose } from './propose.js';
import { makeReward } from './reward.js';
import { makeSolve } from './solve.js';
import { makeValidate } from './validate.js';
import { makeVerify } from './verify.js';
import { makeWarmUp } from './warm-up.js';

export const orchestrateSteps = (dependencies: LifecycleDependencies): OrchestrateSteps => ({
  ...makeLifecycle(dependencies),
  reward: makeReward(dependencies),
});

export const rolloutSteps = (dependencies: RolloutDependencies): RolloutSteps => ({
  propose: makePropose(dependencies),
  solve: makeSolve(dependencies),
});

export const sandboxSteps = (dependencies: SandboxDependencies): SandboxSteps => ({
  describeSandbox: () => Promise.resolve(dependencies.sandbox.interpreter),
  plantSeeds: makePlantSeeds(dependencies),
  validate: makeValidate(dependencies),
  verify: makeVerify(dependencies),
});

export const learnerSteps = (dependencies: LearnerDependencies): LearnerSteps => ({
  describeEngine: () => Promise.resolve(dependencies.engine.backend),
  warmUp: makeWarmUp(dependencies),
  learn: makeLearn(dependencies),
});

export const evaluateSteps = (dependencies: EvaluateDependencies): EvaluateSteps => ({
  evaluate: makeEvaluate(dependencies),
});
