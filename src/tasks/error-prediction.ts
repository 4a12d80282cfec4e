/**
 * Error prediction (`code_e` of the published code): given a program and an input, predict the class of the exception
 * that `f` raises, or `NoError` where it returns. The answer is compared by name, whatever its case; nothing runs.
 *
 * An exception is an expected outcome here, and any value that returns is `NoError`; what has neither (no time left, no
 * memory, a killed process, sandboxes that disagree) is refused like elsewhere.
 *
 * Deviation from the published code, which stops at the first valid proposal of this kind because it looks up a field
 * that no accepted program has: here the class stands where other kinds have their output, so the kind is trained like
 * them.
 */
import type { Outcome } from '../sandbox/port.js';
import { deduction } from './deduction.js';
import { withoutEnd, type GoldRefusal } from './gold.js';
import { RIGHT, wrong } from './score.js';
import type { TaskKindDefinition } from './types.js';

/** The answer of a program that returns. */
export const NO_ERROR = 'NoError';

export const errorPrediction: TaskKindDefinition = {
  kind: 'error',
  propose: (draws) => ({ references: draws.references(), program: null }),
  parse: {
    proposal: (answer) => answer.programAndInput(),
    solution: (answer) => answer.literal('output'),
  },
  validate: { gold: errorGold, bansErrorKeywords: true },
  solve: (task) => deduction.solve(task),
  verify: {
    question: (task, answer) => ({ ...deduction.verify.question(task, answer), kind: 'error' }),
    run: () => undefined,
    score: ({ output = '', answer }) =>
      errorNameOf(answer).toLowerCase() === output.toLowerCase() ? RIGHT : wrong('wrong'),
  },
};

/** The class that an answer names: its first word, cut at a colon (`IndexError: list index out of range`). */
export function errorNameOf(answer: string): string {
  const [word = ''] = answer.trim().split(/\s/u, 1);
  const [name = ''] = word.split(':', 1);
  return name;
}

/** The harness writes ASCII; a class named otherwise arrives escaped. */
const IDENTIFIER = /^[A-Za-z_]\w*$/;

/** The class of the exception, or NoError, or why neither is known. A raised class may not be called NoError. */
function errorGold(outcome: Outcome): string | GoldRefusal {
  if (outcome.kind === 'raised')
    return IDENTIFIER.test(outcome.error) && outcome.error.toLowerCase() !== NO_ERROR.toLowerCase()
      ? outcome.error
      : { reason: 'error-name', detail: `the class is called ${JSON.stringify(outcome.error)}` };
  if (outcome.kind === 'value' || outcome.kind === 'not-literal' || outcome.kind === 'nan') return NO_ERROR;
  return withoutEnd(outcome);
}
