/**
 * tokenizer.json and tokenizer_config.json from a GGUF file's metadata: byte-level BPE, `tokenizer.ggml.model` gpt2.
 *
 * How text is cut before merges are applied is a name there, `tokenizer.ggml.pre`, which stands for code of llama.cpp; the
 * names that are known here stand below. SmolLM2's file gives, byte for byte, the tokenizer.json that its authors published.
 */
import { ModelFileError } from '../safetensors/format.js';
import type { GgufMetadata } from './metadata.js';

const byteLevel = (addPrefixSpace: boolean): object => ({
  type: 'ByteLevel',
  add_prefix_space: addPrefixSpace,
  trim_offsets: true,
  use_regex: true,
});

const PRE_TOKENIZERS: Readonly<Record<string, object>> = {
  'gpt-2': byteLevel(false),
  // Each digit alone.
  smollm: {
    type: 'Sequence',
    pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel(false)],
  },
};

/** Kinds of tokens (llama.cpp's llama_token_type): what the model never reads in text, and what a user added. */
const CONTROL = 3;
const USER_DEFINED = 4;

/**
 * The text of tokenizer.json.
 * @throws ModelFileError naming the key, what stands there and what is accepted.
 */
export function tokenizerDefinition(metadata: GgufMetadata): string {
  metadata.oneOf('tokenizer.ggml.model', ['gpt2']);
  const pre = metadata.oneOf('tokenizer.ggml.pre', Object.keys(PRE_TOKENIZERS));
  const tokens = metadata.strings('tokenizer.ggml.tokens');
  const types = metadata.numbers('tokenizer.ggml.token_type');
  const different = new Set(tokens).size;
  if (different !== tokens.length || types.length !== tokens.length)
    throw new ModelFileError(
      `${metadata.file}: tokenizer.ggml.tokens has ${tokens.length} tokens, ${different} of them different, and ${types.length} types; accepted are as many of each`,
    );
  const definition = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) =>
      types[id] === CONTROL || types[id] === USER_DEFINED
        ? [
            {
              id,
              content,
              single_word: false,
              lstrip: false,
              rstrip: false,
              normalized: false,
              special: types[id] === CONTROL,
            },
          ]
        : [],
    ),
    normalizer: null,
    pre_tokenizer: PRE_TOKENIZERS[pre],
    post_processor: null,
    decoder: byteLevel(true),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: null,
      merges: metadata.strings('tokenizer.ggml.merges'),
    },
  };
  // An object would put the tokens that are numbers first.
  const vocab = tokens.map((token, id) => `      ${JSON.stringify(token)}: ${id}`).join(',\n');
  return JSON.stringify(definition, null, 2).replace('"vocab": null', () => `"vocab": {\n${vocab}\n    }`);
}

/** What tokenizer.json does not say: the template of a conversation, and which tokens begin and end a text. */
export function tokenizerConfig(metadata: GgufMetadata, context: number): object {
  const tokens = metadata.strings('tokenizer.ggml.tokens');
  const named = (key: string): string | undefined => tokens[metadata.optionalNumber(key) ?? -1];
  return {
    add_prefix_space: false,
    bos_token: named('tokenizer.ggml.bos_token_id'),
    eos_token: named('tokenizer.ggml.eos_token_id'),
    pad_token: named('tokenizer.ggml.padding_token_id'),
    unk_token: named('tokenizer.ggml.unknown_token_id'),
    clean_up_tokenization_spaces: false,
    model_max_length: context,
    tokenizer_class: 'PreTrainedTokenizerFast',
    chat_template: metadata.optionalString('tokenizer.chat_template'),
  };
}
