/**
 * Policy version 0: of a pre-trained model, its weights; of the tiny policy, fresh weights, then likelihood training on
 * generated rows (policy/tiny/warm-up.ts).
 */
import path from 'node:path';
import { seedOf } from '../coordinates.js';
import { requireModelFolder } from '../config/policy-present.js';
import { freshAdapters, tinyPolicy } from '../config/policy.js';
import type { RunConfig } from '../config/run.js';
import { checkpointFolder } from '../learner/checkpoint-folder.js';
import type { CheckpointRef, ImitationConfig, LearnRow, PolicyEngine } from '../policy/port.js';
import { tinyFeatures } from '../policy/tiny/features.js';
import { tinySpec } from '../policy/tiny/spec.js';
import { warmUpRows } from '../policy/tiny/warm-up.js';
import type { LearnerSteps } from '../../workflows/steps.js';
import { checkpointFact } from './checkpoint-fact.js';
import type { LearnerDependencies } from './dependencies.js';
import { withHeartbeat } from './heartbeat.js';

export function makeWarmUp(dependencies: LearnerDependencies): LearnerSteps['warmUp'] {
  const { log, configs, engine, codeVersion, checkpoints } = dependencies;
  return (run) =>
    withHeartbeat(async (signal, report) => {
      const config = await configs.of(run);
      const folder = checkpointFolder(checkpoints, run.runId, 0);
      const first =
        config.policy.kind === 'huggingface'
          ? await engine.importModel(
              await requireModelFolder(config.policy),
              folder,
              freshAdapters(config.policy, config.seed),
            )
          : await warmedUp(
              engine,
              config,
              path.join(checkpoints, run.runId, 'fresh'),
              folder,
              signal,
              report,
            );
      const origin = { runId: run.runId, iteration: 0, policyVersion: 0, codeVersion };
      await log.append(
        [await checkpointFact(origin, first, path.dirname(checkpoints), null, true)],
        run.startOffsets,
      );
      return { checkpoint: first };
    });
}

async function warmedUp(
  engine: PolicyEngine,
  config: RunConfig,
  freshFolder: string,
  folder: string,
  signal: AbortSignal,
  report: (detail: unknown) => void,
): Promise<CheckpointRef> {
  const policy = tinyPolicy(config.policy);
  const { model, warmUp } = policy;
  const fresh = await engine.initialise(
    tinySpec(model, tinyFeatures(policy, config.propose)),
    seedOf(config.seed, 'weights'),
    freshFolder,
  );
  if (warmUp.steps === 0) return fresh;
  const { checkpoint } = await engine.imitate(fresh, warmUpBatches(config), warmUpConfig(config), folder, {
    signal,
    onProgress: (step, loss) => report({ step, of: warmUp.steps, loss }),
  });
  return checkpoint;
}

/** Exported for bench search. */
export function* warmUpBatches(config: RunConfig): Generator<LearnRow[]> {
  const policy = tinyPolicy(config.policy);
  const { warmUp } = policy;
  const mix = { ...warmUp, maxReferences: config.propose.references };
  const early = { ...mix, thinkShares: warmUp.early.thinkShares, directLengths: null };
  const features = tinyFeatures(policy, config.propose);
  for (let step = 0; step < warmUp.steps; step++)
    yield warmUpRows(
      seedOf(config.seed, 'warm-up', step),
      warmUp.rowsPerStep,
      step < warmUp.early.steps ? early : mix,
      features,
    );
}

/** Exported for bench search, which warms up outside of a run. */
export function warmUpConfig(config: RunConfig): ImitationConfig {
  const { aggregation, optimiser, rowsPerStep, steps, decay } = tinyPolicy(config.policy).warmUp;
  return {
    ...optimiser,
    ...(decay === 'linear' ? { linearDecaySteps: steps } : {}),
    // A likelihood loss has no ratio to clip and needs no bonus.
    clipLow: 0,
    clipHigh: 0,
    entropyCoefficient: 0,
    minibatches: 1,
    microbatchRows: rowsPerStep,
    aggregation,
    shuffleSeed: 0,
  };
}
