/**
 * The published seeding loop: the policy as it stands proposes pairs from the tasks so far until enough of them are tasks,
 * then inputs for their programs until enough of those are. Nothing is learned.
 */
import { ApplicationFailure, defineQuery, setHandler } from '@temporalio/workflow';
import { learner, orchestrate, rollout, sandbox } from './proxies.js';
import type { SeedingResult, SeedingRunInput } from './types.js';

export const seedingProgress = defineQuery<SeedingResult>('seedingProgress');

/** Rounds in a row without a single task: the policy cannot do it. */
const HOPELESS_ROUNDS = 25;

export async function seedingRun(input: SeedingRunInput): Promise<SeedingResult> {
  const { runId, preset, configJson, configHash, originJson, rows } = input;
  let rounds = 0;
  const found = { pairs: 0, inductions: 0 };
  setHandler(seedingProgress, () => ({ runId, rounds, ...found }));

  const [interpreter, backend] = await Promise.all([sandbox.describeSandbox(), learner.describeEngine()]);
  const run = await orchestrate.startRun({
    runId,
    preset,
    configJson,
    configHash,
    originJson,
    interpreter,
    backend,
  });
  await sandbox.plantSeeds(run, null);
  const { checkpoint } = await learner.warmUp(run);
  let head = run.startOffsets;
  for (const [what, kinds] of [
    ['pairs', ['deduction', 'abduction']],
    ['inductions', ['induction']],
  ] as const) {
    let fruitless = 0;
    while (found[what] < rows) {
      rounds += 1;
      const { since } = await orchestrate.startIteration({ run, iteration: rounds, checkpoint, since: head });
      const context = { run, iteration: rounds, checkpoint, since, kinds, seeding: true };
      const { proposals } = await rollout.propose(context);
      const { accepted } = await sandbox.validate(context, { proposals });
      head = since;
      found[what] += accepted;
      fruitless = accepted === 0 ? fruitless + 1 : 0;
      if (fruitless === HOPELESS_ROUNDS) {
        const error = `${HOPELESS_ROUNDS} rounds in a row gave no task of ${kinds.join(' and ')}; ${found[what]} of ${rows} rows are there`;
        await orchestrate.recordLifecycle(run, rounds, 0, { type: 'RunFailed', error, step: 'seeding' });
        throw ApplicationFailure.nonRetryable(error);
      }
    }
  }
  await orchestrate.recordLifecycle(run, rounds, 0, {
    type: 'RunCompleted',
    iterations: rounds,
    reason: 'seeded',
  });
  return { runId, rounds, ...found };
}
