import type { ModelSpec } from '../port.js';
import { PLAIN, type TinyFeatures } from './features.js';
import { tinyGrammar } from './grammar.js';
import { END, PAD, vocabularyOf } from './vocabulary.js';

/** The tiny policy's transformer: the sizes of the preset, the vocabulary and grammar of the domain. */
export function tinySpec(
  {
    rotaryBase,
    ...sizes
  }: Pick<ModelSpec, 'layers' | 'width' | 'heads' | 'hidden' | 'context'> & {
    readonly rotaryBase?: number | undefined;
  },
  features: TinyFeatures = PLAIN,
): ModelSpec {
  return {
    ...sizes,
    // Absent where the configuration has none: a checkpoint's spec then stays what it was before there was this key.
    ...(rotaryBase === undefined ? {} : { rotaryBase }),
    vocabulary: vocabularyOf(features),
    padToken: PAD,
    endToken: END,
    grammar: tinyGrammar(features),
  };
}
