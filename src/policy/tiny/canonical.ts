/**
 * One program for each function of the plain domain: the shortest, then the first in the order below, of the programs that
 * agree with it on a fixed set of inputs.
 *
 * The 1,884 programs are 683 functions. Operations that change digits come before those that move them: most commute, and
 * what the digits became can be seen before it is known where they went.
 */
import { Random } from '../../random.js';
import { drawInput } from './generator.js';
import { MAX_OPERATIONS, OPERATIONS, trace } from './operations.js';

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

let programs: ReadonlyMap<string, readonly number[]> | undefined;

/** @param operations 1 to 3 indices of the plain domain. @throws RangeError for others. */
export function canonicalProgram(operations: readonly number[]): readonly number[] {
  const known = canonicalPrograms().get(signature(operations));
  if (known === undefined || operations.length > MAX_OPERATIONS)
    throw new RangeError(
      `operations are ${operations.join(', ')}; accepted are 1 to ${MAX_OPERATIONS} of the plain domain`,
    );
  return known;
}

/** By what they do to the probes. */
export function canonicalPrograms(): ReadonlyMap<string, readonly number[]> {
  if (programs !== undefined) return programs;
  const first = new Map<string, readonly number[]>();
  let longest: readonly (readonly number[])[] = [[]];
  for (let length = 1; length <= MAX_OPERATIONS; length++) {
    longest = longest.flatMap((program) => ORDER.map((operation) => [...program, operation]));
    for (const program of longest) {
      const key = signature(program);
      if (!first.has(key)) first.set(key, program);
    }
  }
  return (programs = first);
}

const probes = ((random) => Array.from({ length: PROBES }, () => drawInput(random)))(new Random(PROBE_SEED));

function signature(operations: readonly number[]): string {
  return probes.map((probe) => trace(operations, probe).at(-1)?.join('') ?? '').join(' ');
}
