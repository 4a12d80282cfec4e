import type { ModelSpec } from '../port.js';
import { TINY_GRAMMAR } from './grammar.js';
import { END, PAD, VOCABULARY } from './vocabulary.js';

/** The tiny policy's transformer: the sizes of the preset, the vocabulary and grammar of the domain. */
export function tinySpec({
  rotaryBase,
  ...sizes
}: Pick<ModelSpec, 'layers' | 'width' | 'heads' | 'hidden' | 'context'> & {
  readonly rotaryBase?: number | undefined;
}): ModelSpec {
  return {
    ...sizes,
    // Absent where the configuration has none: a checkpoint's spec then stays what it was before there was this key.
    ...(rotaryBase === undefined ? {} : { rotaryBase }),
    vocabulary: VOCABULARY,
    padToken: PAD,
    endToken: END,
    grammar: TINY_GRAMMAR,
  };
}
