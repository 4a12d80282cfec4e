/** Deduction: given a program and an input, predict the output. The answer is compared by value; nothing runs. */
import { first } from './first.js';
import { literalGold } from './gold.js';
import { scoreLiteral } from './score.js';
import type { TaskKindDefinition } from './types.js';

export const deduction: TaskKindDefinition = {
  kind: 'deduction',
  propose: (draws) => ({ references: draws.references(), program: null }),
  parse: {
    proposal: (answer) => answer.programAndInput(),
    solution: (answer) => answer.literal('output'),
  },
  validate: { gold: literalGold, bansErrorKeywords: false },
  solve: (task) => ({
    code: task.code,
    input: first(task.inputs, task.taskId),
    givenPairs: [],
    hiddenPairs: [],
  }),
  verify: {
    question: (task, answer) => ({
      kind: 'deduction',
      code: task.code,
      input: first(task.inputs, task.taskId),
      output: first(task.outputs, task.taskId),
      answer,
    }),
    run: () => undefined,
    score: ({ output, answer }) => scoreLiteral(output ?? '', answer),
  },
};
