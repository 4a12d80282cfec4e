/**
 * Operations that raise on some lists: what error prediction adds to the tiny domain (operations.ts has the twelve total
 * ones). A property test holds each of them to CPython through the sandbox.
 */
import type { Operation } from './operations.js';

export interface PartialOperation extends Operation {
  /** The exception's class. */
  readonly error: string;
  /** On lists for which this is true; `apply` is asked for the others only. */
  readonly raises: (x: readonly number[]) => boolean;
}

export const PARTIAL_OPERATIONS: readonly PartialOperation[] = [
  {
    name: 'append-fifth',
    python: 'x = x + [x[4]]',
    error: 'IndexError',
    raises: (x) => x.length < 5,
    apply: (x) => [...x, ...x.slice(4, 5)],
  },
  {
    name: 'nine-over',
    python: 'x = [9 // d for d in x]',
    error: 'ZeroDivisionError',
    raises: (x) => x.includes(0),
    apply: (x) => x.map((d) => Math.floor(9 / d)),
  },
  {
    name: 'assert-sorted',
    python: 'assert x == sorted(x)',
    error: 'AssertionError',
    raises: (x) => x.some((d, i) => d < (x[i - 1] ?? 0)),
    apply: (x) => x,
  },
];
