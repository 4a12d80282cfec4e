/**
 * The tiny policy's vocabulary: 34 symbols, and behind them those of error prediction and composite programs, which a
 * policy has where its run has either (features.ts). A token is an index into SYMBOLS, then ADDED_SYMBOLS.
 */
import type { TinyFeatures } from './features.js';
import { OPERATIONS } from './operations.js';
import { PARTIAL_OPERATIONS } from './partial-operations.js';
import { ERROR_NAMES, GIVEN } from './programs.js';

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

/** New ones go to the end: a checkpoint's rows keep their symbols. */
export const ADDED_SYMBOLS: readonly string[] = [
  'propose.error',
  'solve.error',
  ...PARTIAL_OPERATIONS.map((operation) => operation.name),
  ...ERROR_NAMES,
  // The call of the given function, and in a prompt what stands before its operations.
  'g',
];

const ALL_SYMBOLS: readonly string[] = [...SYMBOLS, ...ADDED_SYMBOLS];

/** Symbols of the plain domain. */
export const VOCABULARY = SYMBOLS.length;
export const vocabularyOf = ({ error, composite }: TinyFeatures): number =>
  error || composite ? ALL_SYMBOLS.length : VOCABULARY;

const INDEX = new Map<string, number>(ALL_SYMBOLS.map((symbol, index) => [symbol, index]));

export function token(symbol: string): number {
  const index = INDEX.get(symbol);
  if (index === undefined)
    throw new RangeError(
      `symbol ${JSON.stringify(symbol)} is not in the vocabulary: ${ALL_SYMBOLS.join(' ')}`,
    );
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
const FIRST_PARTIAL = token(PARTIAL_OPERATIONS[0]?.name ?? '');
/** The given function: its call, and what stands before its operations in a prompt. */
export const CALL = token('g');

export const digitToken = (digit: number): number => FIRST_DIGIT + digit;
/** @param operation an index of programs.ts. */
export function operationToken(operation: number): number {
  if (operation === GIVEN) return CALL;
  return operation < OPERATIONS.length
    ? FIRST_OPERATION + operation
    : FIRST_PARTIAL + operation - OPERATIONS.length;
}
export const isDigit = (t: number): boolean => t >= FIRST_DIGIT && t < FIRST_DIGIT + 10;
export const isOperation = (t: number): boolean =>
  t >= FIRST_OPERATION && t < FIRST_OPERATION + OPERATIONS.length;
export const digitOf = (t: number): number => t - FIRST_DIGIT;
export function operationOf(t: number): number {
  if (t === CALL) return GIVEN;
  return t < FIRST_PARTIAL ? t - FIRST_OPERATION : t - FIRST_PARTIAL + OPERATIONS.length;
}
export const errorToken = (name: string): number => token(name);
export const errorNameAt = (t: number): string => ALL_SYMBOLS[t] ?? '';

/** Tokens as text, blanks between: what events carry as the completion's text. */
export function tokensToText(tokens: readonly number[]): string {
  return tokens.map((t) => ALL_SYMBOLS[t] ?? `<${t}?>`).join(' ');
}
