/**
 * The buffer from the log: the facts that it is made of, their order, and the fold.
 *
 * Facts are applied in the order of their coordinates (iteration, tasks before verdicts, kind, place), not of their
 * offsets: whoever reads all of a run at once gets the buffer of one who read it iteration by iteration, whatever the
 * number of partitions.
 */
import type { AzrEvent } from '../../schemas/generated/events.js';
import {
  acceptTask,
  recordVerdict,
  type BufferedTask,
  type BufferPolicy,
  type BufferVerdict,
  type TaskBuffer,
} from './task-buffer.js';

export type BufferFact =
  | {
      readonly type: 'accepted';
      readonly iteration: number;
      readonly index: number;
      readonly task: BufferedTask;
    }
  | { readonly type: 'judged'; readonly iteration: number; readonly verdict: BufferVerdict };

/** @returns undefined for an event that says nothing about the buffer. */
export function bufferFactOf(event: AzrEvent): BufferFact | undefined {
  const { iteration } = event.envelope;
  if (event.type === 'TaskAccepted') {
    const { taskId, kind, code, originalCode, inputs, outputs, message, index, compositeTaskIds } =
      event.data;
    const content = { taskId, kind, code, originalCode, inputs, outputs, message };
    const composite = compositeTaskIds.length === 0 ? {} : { compositeTaskIds };
    const task = { ...content, iteration, ...composite };
    return { type: 'accepted', iteration, index, task };
  }
  if (event.type === 'SolutionVerified') {
    const { groupId, taskId, purpose, attempts } = event.data;
    const accuracies = attempts.map(({ correct, accuracy }) => ({ correct, accuracy }));
    return { type: 'judged', iteration, verdict: { groupId, taskId, purpose, attempts: accuracies } };
  }
  return undefined;
}

/** In place. A fact that was applied before changes nothing. */
export function foldFacts(buffer: TaskBuffer, facts: readonly BufferFact[], policy: BufferPolicy): void {
  for (const fact of [...facts].sort(byCoordinates))
    if (fact.type === 'accepted') acceptTask(buffer, fact.task, policy);
    else recordVerdict(buffer, fact.verdict, policy);
}

function byCoordinates(a: BufferFact, b: BufferFact): number {
  if (a.iteration !== b.iteration) return a.iteration - b.iteration;
  if (a.type === 'accepted' && b.type === 'accepted')
    return (
      compareTexts(a.task.kind, b.task.kind) ||
      a.index - b.index ||
      compareTexts(a.task.taskId, b.task.taskId)
    );
  if (a.type === 'judged' && b.type === 'judged') return compareTexts(a.verdict.groupId, b.verdict.groupId);
  return a.type === 'accepted' ? -1 : 1;
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
