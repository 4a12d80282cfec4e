/** Steps as activities: which queue carries each, and how long and how often it is tried. */
import type { RetryPolicy } from '@temporalio/common';
import { proxyActivities } from '@temporalio/workflow';
import {
  TASK_QUEUES,
  type EvaluateSteps,
  type LearnerSteps,
  type OrchestrateSteps,
  type RolloutSteps,
  type SandboxSteps,
} from './steps.js';

/** Outlives a broker's or a worker's restart; a bug or bad input is not tried again. */
const retry: RetryPolicy = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '30 seconds',
  maximumAttempts: 12,
  nonRetryableErrorTypes: [
    'UsageError',
    'CorruptCheckpointError',
    'ModelFileError',
    'ModelMissingError',
    'RangeError',
    'TypeError',
  ],
};

const quick = { startToCloseTimeout: '5 minutes', heartbeatTimeout: '30 seconds', retry } as const;
const long = { startToCloseTimeout: '12 hours', heartbeatTimeout: '30 seconds', retry } as const;

export const orchestrate = proxyActivities<OrchestrateSteps>({
  taskQueue: TASK_QUEUES.orchestrate,
  ...quick,
});
export const rollout = proxyActivities<RolloutSteps>({ taskQueue: TASK_QUEUES.rollout, ...long });
export const sandbox = proxyActivities<SandboxSteps>({ taskQueue: TASK_QUEUES.sandbox, ...long });
export const learner = proxyActivities<LearnerSteps>({ taskQueue: TASK_QUEUES.learner, ...long });
export const evaluation = proxyActivities<EvaluateSteps>({ taskQueue: TASK_QUEUES.evaluate, ...long });
