/**
 * Abduction: given a program and an output, predict an input. The program is run on the answer: any input counts whose
 * output is equal by value.
 */
import { first } from './first.js';
import { literalGold } from './gold.js';
import { scoreOutcome } from './score.js';
import type { TaskKindDefinition } from './types.js';

export const abduction: TaskKindDefinition = {
  kind: 'abduction',
  propose: (draws) => ({ references: draws.references(), program: null }),
  parse: {
    proposal: (answer) => answer.programAndInput(),
    solution: (answer) => answer.literal('input'),
  },
  validate: { gold: literalGold, bansErrorKeywords: false },
  solve: (task) => ({
    code: task.code,
    output: first(task.outputs, task.taskId),
    givenPairs: [],
    hiddenPairs: [],
  }),
  verify: {
    question: (task, answer) => ({
      kind: 'abduction',
      code: task.code,
      output: first(task.outputs, task.taskId),
      answer,
    }),
    run: ({ code, answer }) => ({ code, inputs: [answer] }),
    score: ({ output = '' }, outcomes) => scoreOutcome(output, onlyOf(outcomes)),
  },
};

function onlyOf<T>(outcomes: readonly T[]): T {
  const [outcome] = outcomes;
  if (outcome === undefined || outcomes.length > 1)
    throw new RangeError(`${outcomes.length} outcomes; accepted is that of the answer alone`);
  return outcome;
}
