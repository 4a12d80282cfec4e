/**
 * Induction: given the first half of the input/output pairs and a message, write the program. The answer is run on the
 * hidden half only; the expected outputs never enter its process. Its accuracy is the share of hidden pairs that it maps
 * rightly, and it is correct where all are.
 *
 * Deviation from the published code: a pair whose run gives no value is wrong; there it is left out of the mean where the
 * exception's class has no "error" in its name.
 */
import { literalGold } from './gold.js';
import { RIGHT, scoreOutcome } from './score.js';
import type { Pair, Task, TaskKindDefinition } from './types.js';

export const induction: TaskKindDefinition = {
  kind: 'induction',
  propose(draws) {
    // Before the first program is accepted there is none to write inputs for.
    const program = draws.program();
    return program === undefined ? undefined : { references: [], program };
  },
  parse: {
    proposal: (answer) => answer.inputsAndMessage(),
    solution: (answer) => answer.program(),
  },
  validate: { gold: literalGold, bansErrorKeywords: false },
  solve(task) {
    const { givenPairs, hiddenPairs } = halves(task);
    return { givenPairs, hiddenPairs, ...(task.message === null ? {} : { message: task.message }) };
  },
  verify: {
    question: (task, answer) => ({
      kind: 'induction',
      code: task.code,
      pairs: halves(task).hiddenPairs,
      answer,
    }),
    run: ({ answer, pairs = [] }) => ({ code: answer, inputs: pairs.map(({ input }) => input) }),
    score({ pairs = [] }, outcomes) {
      if (pairs.length === 0 || pairs.length !== outcomes.length)
        throw new RangeError(
          `${pairs.length} pairs and ${outcomes.length} outcomes; accepted are equal numbers, at least 1`,
        );
      const scores = outcomes.map((outcome, i) => scoreOutcome(pairs[i]?.output ?? '', outcome));
      const failed = scores.find(({ correct }) => !correct);
      if (failed === undefined) return RIGHT;
      const accuracy = scores.filter(({ correct }) => correct).length / scores.length;
      return { accuracy, correct: false, reason: failed.reason };
    },
  },
};

/** With an odd number of pairs the solver is given the smaller half; with one pair it is given that one and judged on it. */
function halves(task: Task): { givenPairs: readonly Pair[]; hiddenPairs: readonly Pair[] } {
  const pairs = task.inputs.map((input, i) => {
    const output = task.outputs[i];
    if (output === undefined)
      throw new RangeError(
        `task ${task.taskId} has ${task.inputs.length} inputs but ${task.outputs.length} outputs`,
      );
    return { input, output };
  });
  if (pairs.length === 1) return { givenPairs: pairs, hiddenPairs: pairs };
  const given = Math.floor(pairs.length / 2);
  return { givenPairs: pairs.slice(0, given), hiddenPairs: pairs.slice(given) };
}
