/**
 * Answer diversity: how rare a value text is among those counted so far, in [0, 1] (the published type counters).
 *
 *   flat          1 - count(v) / N                                  N all values counted
 *   hierarchical  ((1 - P(type)) + (1 - P(v | type))) / 2           what was never seen counts 1
 *
 * Deviations: a type is read from the literal, the published code evaluates the text; a text is counted once whatever
 * its type, where the published flattening keeps the last type's count.
 */
import { parseLiteral } from '../../sandbox/values/parser.js';

export const DIVERSITY_RULES = ['flat', 'hierarchical'] as const;
export type DiversityRule = (typeof DIVERSITY_RULES)[number];

/** By type name, by value text, how often. */
export type TypeCounts = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The type under which names of exception classes are counted. */
export const ERROR_TYPE = 'error';

/** A value's Python type: `int`, `tuple` (also for several arguments `1, 2`); `other` for what is no literal. */
export function typeOfText(text: string): string {
  const single = parseLiteral(text);
  if (single.ok) return single.value.type === 'none' ? 'NoneType' : single.value.type;
  return parseLiteral(`(${text}\n)`).ok ? 'tuple' : 'other';
}

/** In place. */
export function countText(counts: Map<string, Map<string, number>>, type: string, text: string): void {
  const values = counts.get(type) ?? new Map<string, number>();
  counts.set(type, values);
  values.set(text, (values.get(text) ?? 0) + 1);
}

/** How surprising `text` is among `counts`, in [0, 1]; 1 where nothing was counted. */
export function surprise(
  text: string,
  counts: TypeCounts,
  rule: DiversityRule,
  typeOf: (text: string) => string = typeOfText,
): number {
  return rule === 'flat' ? flatSurprise(text, counts) : hierarchicalSurprise(text, typeOf(text), counts);
}

function flatSurprise(text: string, counts: TypeCounts): number {
  let all = 0;
  let same = 0;
  for (const values of counts.values()) {
    all += sum(values);
    same += values.get(text) ?? 0;
  }
  return all === 0 ? 1 : 1 - same / all;
}

function hierarchicalSurprise(text: string, type: string, counts: TypeCounts): number {
  let all = 0;
  for (const values of counts.values()) all += sum(values);
  const values = counts.get(type);
  const ofType = values === undefined ? 0 : sum(values);
  const ofValue = values?.get(text) ?? 0;
  const typeSurprise = all === 0 ? 1 : 1 - ofType / all;
  const valueSurprise = ofType === 0 ? 1 : 1 - ofValue / ofType;
  return (typeSurprise + valueSurprise) / 2;
}

function sum(values: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of values.values()) total += count;
  return total;
}
