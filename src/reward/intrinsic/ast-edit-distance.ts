/**
 * The published edit distance between programs: 1 - similarity (sequence-matcher.ts) of the texts of their syntax trees
 * (ast-text.ts), in [0, 1]. It is not symmetric: of equally good blocks and frequent characters the order decides.
 * A program's mean distance is that to each of its references.
 */
import { astText, NoJsonText } from './ast-text.js';
import { similarity, similaritySteps } from './sequence-matcher.js';
import type { SyntaxNode } from './syntax-tree.js';

export type Distance =
  | { readonly ok: true; readonly distance: number }
  /** The published code answers 0 here. */
  | { readonly ok: false; readonly error: string };

/** Distance from the tree of one program to another's. */
export function astEditDistance(a: SyntaxNode, b: SyntaxNode): Distance {
  const left = textOf(a);
  const right = textOf(b);
  if (!left.ok) return left;
  if (!right.ok) return right;
  return { ok: true, distance: 1 - similarity(left.text, right.text) };
}

/**
 * Mean over the references, where one without a distance counts 0; 0 without references. In steps of some milliseconds
 * (sequence-matcher.ts).
 */
export function* meanEditDistanceSteps(
  program: SyntaxNode,
  references: readonly SyntaxNode[],
): Generator<undefined, number> {
  const left = textOf(program);
  if (!left.ok || references.length === 0) return 0;
  let sum = 0;
  for (const reference of references) {
    const right = textOf(reference);
    if (right.ok) sum += 1 - (yield* similaritySteps(left.text, right.text));
    yield;
  }
  return sum / references.length;
}

function textOf(tree: SyntaxNode): { ok: true; text: string } | { ok: false; error: string } {
  try {
    return { ok: true, text: astText(tree) };
  } catch (error) {
    if (error instanceof NoJsonText) return { ok: false, error: error.message };
    throw error;
  }
}
