/** What an event is about: the key that keeps its events in order within a partition. */
import type { AzrEvent } from '../schemas/generated/events.js';

export function subjectOf(event: AzrEvent): string {
  switch (event.type) {
    case 'SeedRowRead':
      return event.data.fileDigest;
    case 'ProposalSampled':
    case 'LearnabilityEstimated':
      return event.data.proposalId;
    case 'TaskAccepted':
    case 'IntrinsicsMeasured':
    case 'SolutionSampled':
    case 'SolutionVerified':
      return event.data.taskId;
    case 'ProgramExecuted':
    case 'TaskRejected':
    case 'RewardAssigned':
    case 'LearnerSample':
      return event.data.subjectId;
    case 'LearnerBatchPrepared':
    case 'LearnerStepped':
      return event.data.batchId;
    case 'EvaluationCompleted':
    case 'ExampleEvaluated':
      return event.data.evaluationId;
    case 'RunStarted':
    case 'IterationStarted':
    case 'CheckpointSaved':
    case 'IterationCompleted':
    case 'RunPaused':
    case 'RunResumed':
    case 'RunForked':
    case 'RunCompleted':
    case 'RunFailed':
      return event.envelope.runId;
  }
}
