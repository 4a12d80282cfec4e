/**
 * One program for each function of the plain domain: the shortest, then the first in the order below, of the programs that
 * agree with it on a fixed set of inputs.
 *
 * The 1,884 programs of up to three operations are 683 functions. Operations that change digits come before those that move them: most commute, and
 * what the digits became can be seen before it is known where they went.
 */
import { Random } from '../../random.js';
import { drawInput } from './generator.js';
import { MAX_OPERATIONS, MOST_OPERATIONS, OPERATIONS, trace } from './operations.js';

/** Enough to tell all functions of the domain apart: 30 already give the same 683. */
const PROBES = 60;
const PROBE_SEED = 1;

const CHANGES_DIGITS = ['increment', 'mirror', 'double'];
const ORDER = OPERATIONS.map((_, index) => index).sort(
  (a, b) => Number(changesDigits(b)) - Number(changesDigits(a)) || a - b,
);

function changesDigits(index: number): boolean {
  return CHANGES_DIGITS.includes(OPERATIONS[index]?.name ?? '');
}

/** By what they do to the probes: at n, of the functions of up to n operations. */
const programs: ReadonlyMap<string, readonly number[]>[] = [new Map()];
/** Of the functions that need as many operations as the last of `programs` has. */
let longest: readonly (readonly number[])[] = [[]];

/** @param operations 1 to MOST_OPERATIONS indices of the plain domain. @throws RangeError for others. */
export function canonicalProgram(operations: readonly number[]): readonly number[] {
  const { length } = operations;
  const known =
    length >= 1 && length <= MOST_OPERATIONS
      ? canonicalPrograms(length).get(signature(operations))
      : undefined;
  if (known === undefined)
    throw new RangeError(
      `operations are ${operations.join(', ')}; accepted are 1 to ${MOST_OPERATIONS} of the plain domain`,
    );
  return known;
}

/**
 * Of all functions of up to `operations` operations, by signature. A level extends the canonical programs of the level
 * before: one whose beginning is not canonical has an equal, canonical beginning, which is shorter or comes first.
 */
export function canonicalPrograms(operations = MAX_OPERATIONS): ReadonlyMap<string, readonly number[]> {
  while (programs.length <= operations) {
    const known = new Map(programs.at(-1));
    const level: (readonly number[])[] = [];
    for (const program of longest)
      for (const operation of ORDER) {
        const longer = [...program, operation];
        const key = signature(longer);
        if (known.has(key)) continue;
        known.set(key, longer);
        level.push(longer);
      }
    programs.push(known);
    longest = level;
  }
  return programs[operations] ?? new Map();
}

const probes = ((random) => Array.from({ length: PROBES }, () => drawInput(random)))(new Random(PROBE_SEED));

function signature(operations: readonly number[]): string {
  return probes.map((probe) => trace(operations, probe).at(-1)?.join('') ?? '').join(' ');
}
