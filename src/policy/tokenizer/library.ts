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
export function createLibraryTokenizer(
  definition: { readonly pre_tokenizer?: unknown; readonly added_tokens?: unknown },
  config: object,
): LibraryTokenizer {
  const pre_tokenizer = withAllNumbers(definition.pre_tokenizer ?? null);
  return new (tokenizers as unknown as Library).Tokenizer({ ...definition, pre_tokenizer }, config);
}

/**
 * The library's `Digits` cuts at 0 to 9; the original at every character of Unicode's numbers (Rust's char::is_numeric),
 * as are a half and a circled one. A `Split` says the same of both.
 */
function withAllNumbers(step: unknown): unknown {
  if (typeof step !== 'object' || step === null) return step;
  const { type, individual_digits: each, pretokenizers } = step as Record<string, unknown>;
  if (type === 'Sequence' && Array.isArray(pretokenizers))
    return { ...step, pretokenizers: pretokenizers.map(withAllNumbers) };
  if (type !== 'Digits') return step;
  const pattern = { Regex: each === true ? '\\p{N}' : '\\p{N}+' };
  return { type: 'Split', pattern, behavior: 'Isolated', invert: false };
}
