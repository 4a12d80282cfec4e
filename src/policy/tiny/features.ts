/** What a run adds to the tiny domain. With none of it, vocabulary, grammar and warm-up are the plain domain's, bit for bit. */
import { mayCompose, type CompositeSettings } from '../../tasks/composite.js';
import type { TaskKind } from '../../tasks/types.js';
import { MAX_OPERATIONS } from './operations.js';

export interface TinyFeatures {
  /** Error prediction: operations that may raise, and names of exceptions as answers. */
  readonly error: boolean;
  /** Composite programs: an operation that calls a given function, and programs of one operation more. */
  readonly composite: boolean;
  /** Operations of the longest program, MAX_OPERATIONS to MOST_OPERATIONS. */
  readonly operations: number;
}

export const PLAIN: TinyFeatures = { error: false, composite: false, operations: MAX_OPERATIONS };

/** What a run's configuration asks for. */
export function tinyFeatures(
  policy: { readonly operations?: number | undefined },
  propose: { readonly kinds: readonly TaskKind[]; readonly composite: CompositeSettings },
): TinyFeatures {
  return {
    error: propose.kinds.includes('error'),
    composite: mayCompose(propose.composite),
    operations: policy.operations ?? MAX_OPERATIONS,
  };
}
