/**
 * How answers are held against gold outputs. Both are texts, compared as the values they stand for; nothing is evaluated.
 */
import type { Outcome } from '../sandbox/port.js';
import { equalLiterals, literalKey } from '../sandbox/values.js';

/** Why an answer is right or wrong: `correct`, `wrong`, `not-literal`, `gold-not-literal`, or the outcome that stood in the way. */
export type VerdictReason =
  | 'correct'
  | 'wrong'
  | 'not-literal'
  | 'gold-not-literal'
  | 'not-literal-output'
  | Exclude<Outcome['kind'], 'value' | 'not-literal'>;

export interface Score {
  /** Share of comparisons that hold, 0..1; with a single one 0 or 1. */
  readonly accuracy: number;
  /** All of them hold. */
  readonly correct: boolean;
  readonly reason: VerdictReason;
}

export const RIGHT: Score = { accuracy: 1, correct: true, reason: 'correct' };
export const wrong = (reason: VerdictReason): Score => ({ accuracy: 0, correct: false, reason });

/** An answer that is a literal itself, by Python's ==. */
export function scoreLiteral(gold: string, answer: string): Score {
  const expected = literalKey(gold);
  if (!expected.ok) return wrong('gold-not-literal');
  const given = literalKey(answer);
  if (!given.ok) return wrong(given.reason === 'nan' ? 'wrong' : 'not-literal');
  return given.key === expected.key ? RIGHT : wrong('wrong');
}

/** What a run gave; every outcome but a value is wrong, and the reason. */
export function scoreOutcome(gold: string, outcome: Outcome): Score {
  if (!literalKey(gold).ok) return wrong('gold-not-literal');
  if (outcome.kind === 'value') return equalLiterals(gold, outcome.text) ? RIGHT : wrong('wrong');
  return wrong(outcome.kind === 'not-literal' ? 'not-literal-output' : outcome.kind);
}
