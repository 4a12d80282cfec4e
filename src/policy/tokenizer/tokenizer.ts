/**
 * A model's own tokenizer: tokenizer.json by @huggingface/tokenizers, its chat template by @huggingface/jinja.
 *
 * Deviations from Transformers' defaults, since what is trained on has to be what was said: no start token is added (a
 * chat template writes its own), and decoding tidies no spaces and leaves special tokens out only where asked to.
 */
import path from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { ModelFileError } from '../safetensors/format.js';
import {
  readChatTemplate,
  CHAT_TEMPLATE_FILE,
  type ChatMessage,
  type ChatTemplate,
} from './chat-template.js';
import { readJsonObject, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, type JsonObject } from './files.js';
import { TextStream } from './text-stream.js';

export interface DecodeOptions {
  /** Leave special tokens out. Default: they stand as their texts. */
  readonly skipSpecial?: boolean;
}

export class ModelTokenizer {
  readonly folder: string;
  /** Greatest token id + 1. */
  readonly size: number;
  readonly #library: Library;
  readonly #chat: ChatTemplate | undefined;

  private constructor(folder: string, library: Library, chat: ChatTemplate | undefined) {
    this.folder = folder;
    this.#library = library;
    this.#chat = chat;
    let greatest = -1;
    for (const id of library.get_vocab(true).values()) greatest = Math.max(greatest, id);
    this.size = greatest + 1;
  }

  /** @throws ModelFileError naming what is missing or cannot be used. */
  static async load(folder: string): Promise<ModelTokenizer> {
    const file = path.join(folder, TOKENIZER_FILE);
    const definition = await readJsonObject(file);
    if (definition === undefined)
      throw new ModelFileError(
        `${file} is missing; accepted is a folder with a tokenizer of Hugging Face's fast kind`,
      );
    const config = (await readJsonObject(path.join(folder, TOKENIZER_CONFIG_FILE))) ?? {};
    let library: Library;
    try {
      library = new Library({ added_tokens: [], ...definition }, config);
    } catch (error) {
      throw new ModelFileError(`${file} is no tokenizer that can be read: ${(error as Error).message}`);
    }
    return new ModelTokenizer(folder, library, await readChatTemplate(folder, config, specialTexts(config)));
  }

  /** @throws ModelFileError where a token of the tokenizer is none of the model's. */
  checkFits(vocabulary: number): void {
    if (this.size <= vocabulary) return;
    const last = this.size - 1;
    throw new ModelFileError(
      `${path.join(this.folder, TOKENIZER_FILE)} does not match the model: token ${JSON.stringify(this.#library.id_to_token(last))} is ${last}; accepted are 0 to ${vocabulary - 1}, the vocabulary of config.json`,
    );
  }

  /** Special tokens that stand in the text are read as such, as Transformers reads them. */
  encode(text: string): number[] {
    return text === '' ? [] : this.#library.encode(text, { add_special_tokens: false }).ids;
  }

  /** Ids that are no tokens give nothing, as in Transformers: a model may have more logits than its tokenizer tokens. */
  decode(tokens: readonly number[], { skipSpecial = false }: DecodeOptions = {}): string {
    const known = tokens.filter((token) => this.#library.id_to_token(token) !== undefined);
    if (known.length === 0) return '';
    return this.#library.decode(known, {
      skip_special_tokens: skipSpecial,
      clean_up_tokenization_spaces: false,
    });
  }

  stream(options: DecodeOptions = {}): TextStream {
    return new TextStream((tokens) => this.decode(tokens, options));
  }

  /** @returns undefined where the tokenizer has no such token. */
  idOf(token: string): number | undefined {
    return this.#library.token_to_id(token);
  }

  get hasChatTemplate(): boolean {
    return this.#chat !== undefined;
  }

  /**
   * The text of a conversation, up to where the assistant is to answer, unless `answers` is false.
   * @throws ModelFileError where there is no chat template, or it refuses these messages.
   */
  applyChatTemplate(messages: readonly ChatMessage[], answers = true): string {
    if (this.#chat === undefined)
      throw new ModelFileError(
        `${this.folder} has no chat template: neither ${CHAT_TEMPLATE_FILE} nor chat_template in ${TOKENIZER_CONFIG_FILE}`,
      );
    return this.#chat(messages, answers);
  }
}

/** `bos_token` and the like, texts or objects with `content`: variables of chat templates. */
function specialTexts(config: JsonObject): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(config)) {
    if (!name.endsWith('_token')) continue;
    const text: unknown =
      typeof value === 'object' && value !== null ? (value as JsonObject)['content'] : value;
    if (typeof text === 'string') texts[name] = text;
  }
  return texts;
}
