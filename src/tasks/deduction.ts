/** Deduction: given a program and an input, predict the output. The answer is compared by value; nothing runs. */
import type { TaskKindDefinition } from './types.js';
import { first } from './first.js';

export const deduction: TaskKindDefinition = {
  kind: 'deduction',
  proposesProgram: true,
  solverView: (task) => ({
    code: task.code,
    input: first(task.inputs, task.taskId),
    givenPairs: [],
    hiddenPairs: [],
  }),
  judgeInput: (task, answer) => ({
    kind: 'deduction',
    code: task.code,
    input: first(task.inputs, task.taskId),
    output: first(task.outputs, task.taskId),
    answer,
  }),
};
