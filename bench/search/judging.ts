/** Judging without a sandbox: programs of the tiny domain, evaluated by its own operations. */
import { parseList, parseProgram, renderList, trace } from '../../src/policy/tiny/operations.js';
import { taskKinds } from '../../src/tasks/index.js';
import type { Task } from '../../src/tasks/types.js';

/** @returns undefined for what is not of the domain. */
export function evaluate(code: string, input: string): string | undefined {
  const operations = parseProgram(code);
  const list = parseList(input);
  if (operations === undefined || list === undefined) return undefined;
  return renderList(trace(operations, list).at(-1) ?? list);
}

/** Share of the judged pairs that an answer gets right. */
export function accuracyOf(task: Task, answer: string | null): number {
  if (answer === null) return 0;
  if (task.kind === 'deduction') return answer === task.outputs[0] ? 1 : 0;
  if (task.kind === 'abduction') return evaluate(task.code, answer) === task.outputs[0] ? 1 : 0;
  const { hiddenPairs } = taskKinds.induction.solve(task);
  const right = hiddenPairs.filter(({ input, output }) => evaluate(answer, input) === output);
  return right.length / hiddenPairs.length;
}

/** Operations of a program; 0 for what is not of the domain. */
export const lengthOf = (code: string): number => parseProgram(code)?.length ?? 0;
