/** The composite checks (tasks/composite-check.ts) over many proposals, by Python's own parser; nothing of them is run. */
import { refuseComposite, type CompositeRefusal } from '../tasks/composite-check.js';
import type { ParseResult, Sandbox } from './port.js';

export interface CompositeItem {
  /** As proposed, without the definitions. */
  readonly program: string;
  /** Of the given functions, in the order of their names; empty where none was given. */
  readonly definitions: readonly string[];
}

/** In order: why each item is refused; undefined where it is not, or where no function was given. */
export async function refuseComposites(
  sandbox: Pick<Sandbox, 'trees'>,
  items: readonly CompositeItem[],
): Promise<
  readonly (CompositeRefusal | { readonly reason: 'unparsable'; readonly detail: string } | undefined)[]
> {
  const composite = items.filter(({ definitions }) => definitions.length > 0);
  const codes = [...new Set(composite.flatMap(({ program, definitions }) => [program, ...definitions]))];
  const trees = codes.length === 0 ? [] : await sandbox.trees(codes);
  const treeOf = new Map(codes.map((code, i) => [code, trees[i] as ParseResult]));
  return items.map(({ program, definitions }) => {
    if (definitions.length === 0) return undefined;
    const parsed = treeOf.get(program);
    if (parsed?.ok !== true) return { reason: 'unparsable', detail: parsed?.error ?? 'no tree' };
    return refuseComposite(
      parsed.tree,
      definitions.map((definition) => {
        const tree = treeOf.get(definition);
        if (tree?.ok !== true) throw new Error(`a given function does not parse: ${definition}`);
        return tree.tree;
      }),
    );
  });
}
