/**
 * The tiny domain's twelve list operations: a line of Python each, and the same function here.
 *
 * The Python line is what the sandbox runs and what a person reads. The function serves the warm-up generator, which
 * needs intermediate values by the million; a property test holds it to CPython through the sandbox.
 */
export interface Operation {
  readonly name: string;
  /** One statement that rebinds `x`, a list of digits. */
  readonly python: string;
  readonly apply: (x: readonly number[]) => readonly number[];
}

export const OPERATIONS: readonly Operation[] = [
  { name: 'reverse', python: 'x = x[::-1]', apply: (x) => [...x].reverse() },
  { name: 'sort', python: 'x = sorted(x)', apply: (x) => [...x].sort((a, b) => a - b) },
  { name: 'tail', python: 'x = x[1:]', apply: (x) => x.slice(1) },
  { name: 'init', python: 'x = x[:-1]', apply: (x) => x.slice(0, -1) },
  { name: 'every-second', python: 'x = x[::2]', apply: (x) => x.filter((_, i) => i % 2 === 0) },
  { name: 'rotate', python: 'x = x[1:] + x[:1]', apply: (x) => [...x.slice(1), ...x.slice(0, 1)] },
  { name: 'rotate-back', python: 'x = x[-1:] + x[:-1]', apply: (x) => [...x.slice(-1), ...x.slice(0, -1)] },
  { name: 'append-first', python: 'x = x + x[:1]', apply: (x) => [...x, ...x.slice(0, 1)] },
  { name: 'prepend-last', python: 'x = x[-1:] + x', apply: (x) => [...x.slice(-1), ...x] },
  { name: 'increment', python: 'x = [(d + 1) % 10 for d in x]', apply: (x) => x.map((d) => (d + 1) % 10) },
  { name: 'mirror', python: 'x = [9 - d for d in x]', apply: (x) => x.map((d) => 9 - d) },
  { name: 'double', python: 'x = [d * 2 % 10 for d in x]', apply: (x) => x.map((d) => (d * 2) % 10) },
];

/** Operations of the longest programs; a run may ask for longer ones (`policy.operations`), up to MOST_OPERATIONS. */
export const MAX_OPERATIONS = 3;
export const MOST_OPERATIONS = 5;
/** Inputs are lists of 3 or 4 digits. */
export const MIN_INPUT_LENGTH = 3;
export const MAX_INPUT_LENGTH = 4;
/** Longest list that can arise in so many operations: each adds at most one element. */
export const longestList = (operations: number): number => MAX_INPUT_LENGTH + operations;

/** The lists after each operation, the last being the output. `operations` are indices into OPERATIONS. */
export function trace(
  operations: readonly number[],
  input: readonly number[],
): readonly (readonly number[])[] {
  const states: (readonly number[])[] = [];
  let x = input;
  for (const index of operations) {
    const operation = OPERATIONS[index];
    if (operation === undefined)
      throw new RangeError(`operations holds ${index}; accepted are indices 0 to ${OPERATIONS.length - 1}`);
    x = operation.apply(x);
    states.push(x);
  }
  return states;
}

/** The program as people and the sandbox read it. */
export function renderProgram(operations: readonly number[]): string {
  const lines = operations.map((index) => `    ${OPERATIONS[index]?.python ?? ''}`);
  return ['def f(x):', ...lines, '    return x'].join('\n');
}

const INDEX_BY_LINE = new Map(OPERATIONS.map((operation, index) => [operation.python, index]));

/** The operations of a program that `renderProgram` wrote; undefined for any other text. */
export function parseProgram(code: string): readonly number[] | undefined {
  const lines = code.split('\n');
  if (lines[0] !== 'def f(x):' || lines.at(-1) !== '    return x') return undefined;
  const operations = lines.slice(1, -1).map((line) => INDEX_BY_LINE.get(line.trim()));
  return operations.every((index) => index !== undefined) ? operations : undefined;
}

export function renderList(x: readonly number[]): string {
  return `[${x.join(', ')}]`;
}

/** The digits of a list literal as `renderList` or Python writes it; undefined for any other text. */
export function parseList(text: string): readonly number[] | undefined {
  const match = /^\[((?:\d(?:, ?\d)*)?)\]$/.exec(text.trim());
  if (match === null) return undefined;
  const body = match[1] ?? '';
  return body === '' ? [] : body.split(',').map((part) => Number(part));
}
