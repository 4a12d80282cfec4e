/**
 * Uniform draws from the tiny domain, and the part of it that is held out.
 *
 * The domain has 1,884 programs and 11,000 inputs: 20.7 million (program, input) pairs; longer programs add to them. One pair in 64, chosen by a
 * hash of its text, is held out: the evaluation asks about such pairs only, the warm-up never draws one, and a proposal
 * that holds one is refused before it can reach a prompt or a batch, a composite program by its expansion.
 */
import type { Random } from '../../random.js';
import { MAX_INPUT_LENGTH, MIN_INPUT_LENGTH, MOST_OPERATIONS, OPERATIONS, parseList } from './operations.js';
import { expandedOperations } from './programs.js';

const HELD_OUT_SHARE = 64;

/** FNV-1a over the digits and operations, finished by a multiply-shift so that the low bits are mixed. */
function hash(values: readonly number[]): number {
  let h = 0x811c9dc5;
  for (const value of values) h = Math.imul(h ^ value, 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

export function isHeldOut(operations: readonly number[], input: readonly number[]): boolean {
  return hash([...operations, 255, ...input]) % HELD_OUT_SHARE === 0;
}

/** The same for texts; false for anything outside the plain domain. */
export function isHeldOutText(code: string, input: string): boolean {
  const operations = expandedOperations(code);
  const list = parseList(input);
  if (operations === undefined || list === undefined) return false;
  return operations.every((operation) => operation < OPERATIONS.length) && isHeldOut(operations, list);
}

export function drawProgram(random: Random, length: number): number[] {
  if (!(length >= 1 && length <= MOST_OPERATIONS))
    throw new RangeError(`length is ${length}; accepted are 1 to ${MOST_OPERATIONS}`);
  return Array.from({ length }, () => random.below(OPERATIONS.length));
}

export function drawInput(random: Random): number[] {
  const length = MIN_INPUT_LENGTH + random.below(MAX_INPUT_LENGTH - MIN_INPUT_LENGTH + 1);
  return Array.from({ length }, () => random.below(10));
}

/** An input for `operations` that is held out or, by default, is not. */
export function drawInputFor(random: Random, operations: readonly number[], heldOut = false): number[] {
  for (;;) {
    const input = drawInput(random);
    if (isHeldOut(operations, input) === heldOut) return input;
  }
}
