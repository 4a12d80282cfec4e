/** The measures of one program, each 0 where it does not parse, as the published code has them. */
import { cognitiveComplexity } from './cognitive-complexity.js';
import { halstead } from './halstead.js';
import type { SyntaxNode } from './syntax-tree.js';

/** The published code divides cognitive complexity by this. */
export const COMPLEXITY_UNIT = 15;

export interface ProgramMeasures {
  /** Cognitive complexity / 15; not bounded above. */
  readonly complexity: number;
  /** In [0, 1]. */
  readonly halstead: number;
}

/** @param tree of the whole program; undefined where it does not parse. */
export function programMeasures(tree: SyntaxNode | undefined): ProgramMeasures {
  if (tree === undefined) return { complexity: 0, halstead: 0 };
  return { complexity: complexityMeasure(tree), halstead: halstead(tree) };
}

/** Cognitive complexity as the reward takes it. */
export function complexityMeasure(tree: SyntaxNode): number {
  return cognitiveComplexity(tree) / COMPLEXITY_UNIT;
}
