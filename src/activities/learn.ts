/** The learner's step: checkpoint N = f(checkpoint N-1, batch N, config). The batch comes from Kafka. */
import path from 'node:path';
import { idOf } from '../coordinates.js';
import { checkpointFolder } from '../learner/checkpoint-folder.js';
import { learnConfig, learnRows } from '../learner/learn-inputs.js';
import type { LearnerSteps } from '../../workflows/steps.js';
import { checkpointFact } from './checkpoint-fact.js';
import type { LearnerDependencies } from './dependencies.js';
import { dataOf, fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { referenceOf } from './reference-checkpoint.js';

export function makeLearn(dependencies: LearnerDependencies): LearnerSteps['learn'] {
  const { log, configs, engine, codeVersion, checkpoints } = dependencies;
  return (context, facts) =>
    withHeartbeat(async (signal, report) => {
      const config = await configs.of(context.run);
      const samples = dataOf(await log.read(facts.batch), 'LearnerSample');
      const folder = checkpointFolder(checkpoints, context.run.runId, context.checkpoint.version + 1);
      const began = Date.now();
      const { checkpoint, statistics } = await engine.learn(
        context.checkpoint,
        learnRows(samples),
        learnConfig(config, context.iteration),
        folder,
        {
          signal,
          onProgress: (rows) => report({ rows }),
          ...(await referenceOf(config, log, context.run.runId, path.dirname(checkpoints))),
        },
      );
      const origin = originOf(context, codeVersion);
      const { groups, tokens, rows, ...means } = statistics;
      const batchId = idOf(context.run.runId, context.iteration, 'batch');
      await log.append(
        [
          fact(
            origin,
            'LearnerStepped',
            [batchId],
            {
              batchId,
              parentVersion: context.checkpoint.version,
              parentDigest: context.checkpoint.digest,
              version: checkpoint.version,
              digest: checkpoint.digest,
              backend: engine.backend.backend,
              ...means,
              tokens,
              rows,
              groupsJson: JSON.stringify(groups),
              durationMs: Date.now() - began,
            },
            batchId,
          ),
          await checkpointFact(
            origin,
            checkpoint,
            path.dirname(checkpoints),
            context.checkpoint.digest,
            false,
          ),
        ],
        context.since,
      );
      return { checkpoint };
    });
}
