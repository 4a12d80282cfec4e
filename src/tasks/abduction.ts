/** Abduction: given a program and an output, predict an input. Any input counts whose output is equal by value. */
import type { TaskKindDefinition } from './types.js';
import { first } from './first.js';

export const abduction: TaskKindDefinition = {
  kind: 'abduction',
  proposesProgram: true,
  solverView: (task) => ({
    code: task.code,
    output: first(task.outputs, task.taskId),
    givenPairs: [],
    hiddenPairs: [],
  }),
  judgeInput: (task, answer) => ({
    kind: 'abduction',
    code: task.code,
    output: first(task.outputs, task.taskId),
    answer,
  }),
};
