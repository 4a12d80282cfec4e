/**
 * Programs of the extended tiny domain: the twelve operations, those that may raise (partial-operations.ts), and the call of
 * a given function, `x = g_0(x)`, whose definition stands before the program.
 *
 * An operation is an index: 0 to 11 total, then the partial ones, then GIVEN. A composite program is worth its expansion,
 * in which each call is replaced by the operations of the definition; that is what a solver is shown.
 */
import { NO_ERROR } from '../../tasks/error-prediction.js';
import { longestList, OPERATIONS } from './operations.js';
import { PARTIAL_OPERATIONS } from './partial-operations.js';

const STEPS = [...OPERATIONS, ...PARTIAL_OPERATIONS];
/** Index of the call of the given function. */
export const GIVEN = STEPS.length;
const GIVEN_LINE = 'x = g_0(x)';

/** Operations of the longest expansion. @param longest operations of a proposed program */
export const mostExpanded = (longest: number): number => longest + 1;

/** Answers of error prediction, as symbols have them. */
export const ERROR_NAMES: readonly string[] = [NO_ERROR, ...PARTIAL_OPERATIONS.map(({ error }) => error)];

const lineOf = (operation: number): string =>
  operation === GIVEN ? GIVEN_LINE : (STEPS[operation]?.python ?? '');
const INDEX_BY_LINE = new Map([
  ...STEPS.map(({ python }, index) => [python, index] as const),
  [GIVEN_LINE, GIVEN],
]);

/** The program as people and the sandbox read it, without the definition of what it calls. */
export function renderOperations(operations: readonly number[]): string {
  return ['def f(x):', ...operations.map((index) => `    ${lineOf(index)}`), '    return x'].join('\n');
}

/** Operations of one function that `renderOperations` wrote, under a name; undefined for any other text. */
function operationsOf(code: string, name: string): readonly number[] | undefined {
  const lines = code.split('\n');
  if (lines[0] !== `def ${name}(x):` || lines.at(-1) !== '    return x') return undefined;
  const operations = lines.slice(1, -1).map((line) => INDEX_BY_LINE.get(line.trim()));
  return operations.every((index) => index !== undefined) ? operations : undefined;
}

/** The operations of a given function's definition; undefined where it is none of the domain or calls another. */
export function definitionOperations(definition: string): readonly number[] | undefined {
  const operations = operationsOf(definition.trimEnd(), 'g_0');
  return operations === undefined || operations.includes(GIVEN) ? undefined : operations;
}

/** The operations of a program of the extended domain, calls expanded; undefined for any other text. */
export function expandedOperations(code: string): readonly number[] | undefined {
  const parts = code.split('\n\n');
  const operations = operationsOf(parts.at(-1) ?? '', 'f');
  if (parts.length > 2 || operations === undefined) return undefined;
  const definition = parts.length === 2 ? definitionOperations(parts[0] ?? '') : undefined;
  if (parts.length === 2 && definition === undefined) return undefined;
  return expand(operations, definition);
}

/** Undefined where a function is called that is not given. */
export function expand(
  operations: readonly number[],
  definition: readonly number[] | undefined,
): readonly number[] | undefined {
  if (definition === undefined) return operations.includes(GIVEN) ? undefined : operations;
  return operations.flatMap((operation) => (operation === GIVEN ? definition : [operation]));
}

export interface Course {
  /** The lists after each operation that came to its end. */
  readonly states: readonly (readonly number[])[];
  /** Class of the exception; NoError where none was raised. */
  readonly error: string;
}

/** What expanded operations do to an input. */
export function runOperations(operations: readonly number[], input: readonly number[]): Course {
  const states: (readonly number[])[] = [];
  let x = input;
  for (const index of operations) {
    const step = STEPS[index];
    if (step === undefined)
      throw new RangeError(`operations holds ${index}; accepted are indices 0 to ${STEPS.length - 1}`);
    const partial = PARTIAL_OPERATIONS[index - OPERATIONS.length];
    if (partial?.raises(x) === true) return { states, error: partial.error };
    x = step.apply(x);
    states.push(x);
  }
  return { states, error: NO_ERROR };
}

/** Whether expanded operations on an input stay within what prompts and answers can hold. @param longest as above */
export function withinBounds(
  operations: readonly number[],
  input: readonly number[],
  longest: number,
): boolean {
  return (
    operations.length <= mostExpanded(longest) &&
    runOperations(operations, input).states.every((state) => state.length <= longestList(longest))
  );
}
