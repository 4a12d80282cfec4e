import type { ModelSpec } from '../port.js';
import { TINY_GRAMMAR } from './grammar.js';
import { END, PAD, VOCABULARY } from './vocabulary.js';

/** The tiny policy's transformer: the sizes of the preset, the vocabulary and grammar of the domain. */
export function tinySpec(
  model: Pick<ModelSpec, 'layers' | 'width' | 'heads' | 'hidden' | 'context'>,
): ModelSpec {
  return { ...model, vocabulary: VOCABULARY, padToken: PAD, endToken: END, grammar: TINY_GRAMMAR };
}
