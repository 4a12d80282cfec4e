/** What a run adds to the tiny domain. With neither, vocabulary, grammar and warm-up are the plain domain's, bit for bit. */
import { mayCompose, type CompositeSettings } from '../../tasks/composite.js';
import type { TaskKind } from '../../tasks/types.js';

export interface TinyFeatures {
  /** Error prediction: operations that may raise, and names of exceptions as answers. */
  readonly error: boolean;
  /** Composite programs: an operation that calls a given function, and programs of one operation more. */
  readonly composite: boolean;
}

export const PLAIN: TinyFeatures = { error: false, composite: false };

/** What the `propose` part of a run's configuration asks for. */
export function tinyFeatures(propose: {
  readonly kinds: readonly TaskKind[];
  readonly composite: CompositeSettings;
}): TinyFeatures {
  return { error: propose.kinds.includes('error'), composite: mayCompose(propose.composite) };
}
