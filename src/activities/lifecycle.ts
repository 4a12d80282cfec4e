/** The facts of a run's life: started, iterations begun and completed, paused, resumed, ended. */
import { ensureTopics, eventTopics } from '../../pipelines/topics.js';
import { fact, originOf } from './facts.js';
import type { OrchestrateSteps } from '../../workflows/steps.js';
import type { CommonDependencies } from './dependencies.js';
import { earlierFacts } from './earlier.js';
import { withHeartbeat } from './heartbeat.js';
import { backendText } from '../policy/port.js';

export interface LifecycleDependencies extends CommonDependencies {
  readonly brokers: readonly string[];
}

export function makeLifecycle(
  dependencies: LifecycleDependencies,
): Pick<OrchestrateSteps, 'startRun' | 'startIteration' | 'completeIteration' | 'recordLifecycle'> {
  const { log, codeVersion, brokers } = dependencies;
  return {
    startRun: ({ runId, preset, configJson, configHash, originJson, interpreter, backend }) =>
      withHeartbeat(async () => {
        await ensureTopics(brokers);
        const startOffsets = await log.watermarks(eventTopics());
        const seed = (JSON.parse(configJson) as { seed: number }).seed;
        const origin = { runId, iteration: 0, policyVersion: null, codeVersion };
        const [started] = await log.append(
          [
            fact(origin, 'RunStarted', [], {
              preset,
              configJson,
              configHash,
              seed,
              parentRunId: null,
              parentIteration: null,
              interpreterVersion: interpreter.version,
              interpreterPlatform: interpreter.platform,
              libc: interpreter.libc,
              isolation: interpreter.isolation,
              policyBackend: backend.backend,
              policyLibrary: backendText(backend),
              initialCheckpointDigest: null,
              originJson,
            }),
          ],
          startOffsets,
        );
        if (started === undefined) throw new Error('RunStarted was not recorded');
        return { runId, started, startOffsets };
      }),

    startIteration: (context) =>
      withHeartbeat(async () => {
        const at = { runId: context.run.runId, iteration: context.iteration };
        const [earlier] = await earlierFacts(log, 'IterationStarted', at, context.since);
        if (earlier !== undefined)
          return { since: JSON.parse(earlier.data.startOffsetsJson) as typeof context.since };
        const since = await log.watermarks(eventTopics());
        await log.append(
          [
            fact(originOf(context, codeVersion), 'IterationStarted', [], {
              checkpointVersion: context.checkpoint.version,
              checkpointDigest: context.checkpoint.digest,
              startOffsetsJson: JSON.stringify(since),
            }),
          ],
          context.since,
        );
        return { since };
      }),

    completeIteration: (context, { checkpoint, summary }) =>
      withHeartbeat(async () => {
        const { solveRates, rewards, durations, ...counts } = summary;
        const rates = Object.values(solveRates);
        await log.append(
          [
            fact(originOf(context, codeVersion), 'IterationCompleted', [], {
              ...counts,
              meanSolveRate: rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length),
              solveRatesJson: JSON.stringify(solveRates),
              rewardsJson: JSON.stringify(rewards),
              durationsJson: JSON.stringify(durations),
              checkpointVersion: checkpoint.version,
              checkpointDigest: checkpoint.digest,
            }),
          ],
          context.since,
        );
        return { head: await log.watermarks(eventTopics()) };
      }),

    recordLifecycle: (run, iteration, ordinal, lifecycle) =>
      withHeartbeat(async () => {
        const origin = { runId: run.runId, iteration, policyVersion: null, codeVersion };
        const { type, ...data } = lifecycle;
        await log.append([fact(origin, type, [ordinal], data as never)], run.startOffsets);
      }),
  };
}
