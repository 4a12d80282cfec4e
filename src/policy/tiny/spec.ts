import type { ModelSpec } from '../port.js';
import { PLAIN, type TinyFeatures } from './features.js';
import { tinyGrammar } from './grammar.js';
import { END, PAD, vocabularyOf } from './vocabulary.js';

/** The tiny policy's transformer: the sizes of the preset, the vocabulary and grammar of the domain. */
export function tinySpec(
  model: Pick<ModelSpec, 'layers' | 'width' | 'heads' | 'hidden' | 'context'>,
  features: TinyFeatures = PLAIN,
): ModelSpec {
  return {
    ...model,
    vocabulary: vocabularyOf(features),
    padToken: PAD,
    endToken: END,
    grammar: tinyGrammar(features),
  };
}
