import { countText, typeOfText, type TypeCounts } from '../../../src/reward/intrinsic/answer-diversity.js';

/** Counts of value texts, by type. */
export function countsOf(
  texts: readonly string[],
  typeOf: (text: string) => string = typeOfText,
): TypeCounts {
  const counts = new Map<string, Map<string, number>>();
  for (const text of texts) countText(counts, typeOf(text), text);
  return counts;
}
