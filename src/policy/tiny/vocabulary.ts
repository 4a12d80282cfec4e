/** The tiny policy's vocabulary: 38 symbols. A token is an index into SYMBOLS. */
import { OPERATIONS } from './operations.js';

export const SYMBOLS = [
  '<pad>',
  '<end>',
  // The role and the kind, first in every prompt.
  'propose.deduction',
  'propose.abduction',
  'propose.induction',
  'solve.deduction',
  'solve.abduction',
  'solve.induction',
  '<think>',
  '</think>',
  // Between lists; between a program and its input; between an input and its output; before each reference.
  '|',
  ';',
  '->',
  '#',
  ...Array.from({ length: 10 }, (_, digit) => String(digit)),
  ...OPERATIONS.map((operation) => operation.name),
] as const;

export const VOCABULARY = SYMBOLS.length;
const INDEX = new Map<string, number>(SYMBOLS.map((symbol, index) => [symbol, index]));

export function token(symbol: string): number {
  const index = INDEX.get(symbol);
  if (index === undefined)
    throw new RangeError(`symbol ${JSON.stringify(symbol)} is not in the vocabulary: ${SYMBOLS.join(' ')}`);
  return index;
}

export const PAD = token('<pad>');
export const END = token('<end>');
export const THINK = token('<think>');
export const END_THINK = token('</think>');
export const BAR = token('|');
export const SEMICOLON = token(';');
export const ARROW = token('->');
export const REFERENCE = token('#');
const FIRST_DIGIT = token('0');
const FIRST_OPERATION = token(OPERATIONS[0]?.name ?? '');

export const digitToken = (digit: number): number => FIRST_DIGIT + digit;
export const operationToken = (operation: number): number => FIRST_OPERATION + operation;
export const isDigit = (t: number): boolean => t >= FIRST_DIGIT && t < FIRST_DIGIT + 10;
export const isOperation = (t: number): boolean =>
  t >= FIRST_OPERATION && t < FIRST_OPERATION + OPERATIONS.length;
export const digitOf = (t: number): number => t - FIRST_DIGIT;
export const operationOf = (t: number): number => t - FIRST_OPERATION;

/** Tokens as text, blanks between: what events carry as the completion's text. */
export function tokensToText(tokens: readonly number[]): string {
  return tokens.map((t) => SYMBOLS[t] ?? `<${t}?>`).join(' ');
}
