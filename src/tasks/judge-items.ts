/** What the judge is asked for a set of solutions: one item for each attempt that has an answer. */
import type { EventDataByType } from '../../schemas/generated/events.js';
import { taskKinds } from './index.js';
import type { JudgeInput, Task } from './types.js';

export function judgeItems(
  solutions: readonly EventDataByType['SolutionSampled'][],
  taskOf: (solution: EventDataByType['SolutionSampled']) => Task,
): ({ readonly id: string } & JudgeInput)[] {
  return solutions.flatMap((solution) => {
    const task = taskOf(solution);
    return solution.attempts.flatMap(({ sample, answer }) =>
      answer === null
        ? []
        : [{ id: `${solution.groupId}/${sample}`, ...taskKinds[task.kind].verify.question(task, answer) }],
    );
  });
}
