/** Input and output diversity of a proposed induction task: the mean surprise (answer-diversity.ts) over its pairs. */
import { surprise, type DiversityRule, type TypeCounts } from './answer-diversity.js';

/** @param texts the inputs (or the outputs) of the task. @returns a number in [0, 1]; 0 without texts. */
export function meanSurprise(texts: readonly string[], counts: TypeCounts, rule: DiversityRule): number {
  if (texts.length === 0) return 0;
  return texts.reduce((sum, text) => sum + surprise(text, counts, rule), 0) / texts.length;
}
