/**
 * What is used of @huggingface/tokenizers. Its own declarations name their modules without extensions, which TypeScript
 * does not resolve for Node's modules.
 */
import * as tokenizers from '@huggingface/tokenizers';

export interface LibraryTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  /** Throws for an empty list. */
  decode(
    ids: number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(withAddedTokens: boolean): Map<string, number>;
}

interface Library {
  readonly Tokenizer: new (definition: object, config: object) => LibraryTokenizer;
}

/** @param definition of tokenizer.json; config: of tokenizer_config.json. @throws Error for what it cannot read. */
export function createLibraryTokenizer(definition: object, config: object): LibraryTokenizer {
  return new (tokenizers as unknown as Library).Tokenizer(definition, config);
}
