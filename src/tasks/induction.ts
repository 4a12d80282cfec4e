/**
 * Induction: given the first half of the input/output pairs and a message, write the program. The answer is run on the
 * hidden half only; the expected outputs never enter its process.
 */
import type { Pair, Task, TaskKindDefinition } from './types.js';

export const induction: TaskKindDefinition = {
  kind: 'induction',
  proposesProgram: false,
  solverView(task) {
    const { givenPairs, hiddenPairs } = halves(task);
    return { givenPairs, hiddenPairs, ...(task.message === null ? {} : { message: task.message }) };
  },
  judgeInput: (task, answer) => ({
    kind: 'induction',
    code: task.code,
    pairs: halves(task).hiddenPairs,
    answer,
  }),
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
