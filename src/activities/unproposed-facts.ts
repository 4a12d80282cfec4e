/** Tasks that nobody proposed (seed rows, generated tasks), accepted or rejected. */
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import { idOf } from '../coordinates.js';
import { fact, type FactOrigin } from './facts.js';

type Accepted = EventDataByType['TaskAccepted'];
type Rejected = EventDataByType['TaskRejected'];

/** Its id is derived from the subject's. */
export function unproposedTask(
  origin: FactOrigin,
  subjectId: string,
  task: Pick<
    Accepted,
    'origin' | 'kind' | 'index' | 'code' | 'originalCode' | 'inputs' | 'outputs' | 'message' | 'imports'
  >,
): AzrEvent {
  return fact(origin, 'TaskAccepted', [subjectId], {
    ...task,
    taskId: idOf(subjectId, 'task'),
    proposalId: null,
    thought: null,
    compositeTaskIds: [],
    referenceTaskIds: [],
    formatOk: true,
  });
}

export function unproposedRejection(
  origin: FactOrigin,
  subjectId: string,
  rejection: Pick<Rejected, 'origin' | 'kind' | 'index' | 'reason' | 'detail' | 'code' | 'sourceLine'>,
): AzrEvent {
  return fact(origin, 'TaskRejected', [subjectId], {
    ...rejection,
    subjectId,
    proposalId: null,
    formatOk: true,
  });
}
