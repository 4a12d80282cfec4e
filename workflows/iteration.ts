/** One iteration of self-play: propose, validate, solve, verify, reward, learn. */
import { defineQuery, setHandler } from '@temporalio/workflow';
import { learner, orchestrate, rollout, sandbox } from './proxies.js';
import type { IterationInput, IterationResult, IterationSummary } from './types.js';

export const currentStep = defineQuery<string>('currentStep');

export async function iteration(input: IterationInput): Promise<IterationResult> {
  let step = 'start';
  setHandler(currentStep, () => step);
  const durations: Record<string, number> = {};
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    step = name;
    const began = Date.now();
    const result = await work();
    durations[name] = Date.now() - began;
    return result;
  };

  const { since } = await timed('start', () => orchestrate.startIteration(input.context));
  const context = { ...input.context, since };
  const { proposals } = await timed('propose', () => rollout.propose(context));
  const { tasks, accepted, rejected } = await timed('validate', () =>
    sandbox.validate(context, { proposals }),
  );
  const { solutions } = await timed('solve', () => rollout.solve(context, { tasks }));
  const verified = await timed('verify', () => sandbox.verify(context, { tasks, solutions }));
  const { verdicts } = verified;
  const { batch, rows, solveRates, rewards } = await timed('reward', () =>
    orchestrate.reward(context, { proposals, tasks, solutions, verdicts }),
  );
  const { checkpoint } = await timed('learn', () => learner.learn(context, { batch }));
  const summary: IterationSummary = {
    proposals: proposals.count,
    accepted,
    rejected,
    solutions: verified.solutions,
    rows,
    solveRates,
    rewards,
    durations,
  };
  step = 'complete';
  const { head } = await orchestrate.completeIteration(context, { checkpoint, summary });
  return { checkpoint, head, summary };
}
