/**
 * Error prediction (`code_e` of the published code): given a program and an input, predict the class of the exception
 * that `f` raises, or `NoError` where it returns. The answer is compared by name; nothing runs.
 *
 * Deviation from the published code, which stops at the first valid proposal of this kind because it looks up a field
 * that no accepted program has: here the class stands where other kinds have their output, so the kind is trained like
 * them.
 */
import { deduction } from './deduction.js';
import type { TaskKindDefinition } from './types.js';

/** The answer of a program that returns. */
export const NO_ERROR = 'NoError';

export const errorPrediction: TaskKindDefinition = {
  kind: 'error',
  proposesProgram: true,
  solverView: (task) => deduction.solverView(task),
  judgeInput: (task, answer) => ({ ...deduction.judgeInput(task, answer), kind: 'error' }),
};

/** The class that an answer names: its first word, cut at a colon (`IndexError: list index out of range`). */
export function errorNameOf(answer: string): string {
  const [word = ''] = answer.trim().split(/\s/u, 1);
  const [name = ''] = word.split(':', 1);
  return name;
}
