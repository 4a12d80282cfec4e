/**
 * A model's own tokenizer, by @huggingface/tokenizers, and its chat template.
 *
 * Deviations from Transformers' defaults, since what is trained on has to be what was said: no start token is added (a
 * chat template writes its own), and decoding tidies no spaces and leaves special tokens out only where asked to.
 */
import path from 'node:path';
import { ModelFileError } from '../safetensors/format.js';
import type { TokenTexts } from '../port.js';
import type { ChatMessage, ChatTemplate } from '../text/chat-template.js';
import { CHAT_TEMPLATE_FILE, readChatTemplate } from './chat-template.js';
import { readJsonObject, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, type JsonObject } from './files.js';
import { createLibraryTokenizer, type LibraryTokenizer } from './library.js';
import { TextStream } from './text-stream.js';
import { tokenTexts } from './token-texts.js';

export interface EncodeOptions {
  /** Add the start and end tokens that tokenizer.json asks for (its post-processor). Default: none. */
  readonly addSpecial?: boolean;
}

export interface DecodeOptions {
  /** Leave special tokens out. Default: they stand as their texts. */
  readonly skipSpecial?: boolean;
}

export class ModelTokenizer {
  readonly folder: string;
  /** Greatest token id + 1. */
  readonly size: number;
  readonly #library: LibraryTokenizer;
  readonly #definition: JsonObject;
  /** Undefined where the folder has none. */
  readonly chat: ChatTemplate | undefined;

  private constructor(
    folder: string,
    definition: JsonObject,
    library: LibraryTokenizer,
    chat: ChatTemplate | undefined,
  ) {
    this.folder = folder;
    this.#definition = definition;
    this.#library = library;
    this.chat = chat;
    let greatest = -1;
    for (const id of library.get_vocab(true).values()) greatest = Math.max(greatest, id);
    this.size = greatest + 1;
  }

  /** @throws ModelFileError naming what is missing or cannot be used. */
  static async load(folder: string): Promise<ModelTokenizer> {
    const tokenizer = await ModelTokenizer.find(folder);
    if (tokenizer !== undefined) return tokenizer;
    throw new ModelFileError(
      `${path.join(folder, TOKENIZER_FILE)} is missing; accepted is a folder with a tokenizer of Hugging Face's fast kind`,
    );
  }

  /**
   * @returns undefined where the folder has no tokenizer.json.
   * @throws ModelFileError naming what cannot be used.
   */
  static async find(folder: string): Promise<ModelTokenizer | undefined> {
    const file = path.join(folder, TOKENIZER_FILE);
    const definition = await readJsonObject(file);
    if (definition === undefined) return undefined;
    const config = (await readJsonObject(path.join(folder, TOKENIZER_CONFIG_FILE))) ?? {};
    let library: LibraryTokenizer;
    try {
      library = createLibraryTokenizer({ added_tokens: [], ...definition }, config);
    } catch (error) {
      throw new ModelFileError(`${file} is no tokenizer that can be read: ${(error as Error).message}`);
    }
    return new ModelTokenizer(folder, definition, library, await readChatTemplate(folder, config));
  }

  /** @throws ModelFileError where a token of the tokenizer is none of the model's. */
  checkFits(vocabulary: number): void {
    if (this.size <= vocabulary) return;
    const last = this.size - 1;
    throw new ModelFileError(
      `${path.join(this.folder, TOKENIZER_FILE)} does not match the model: token ${JSON.stringify(this.#library.id_to_token(last) ?? null)} is ${last}; accepted are 0 to ${vocabulary - 1}, the vocabulary of config.json`,
    );
  }

  /** Special tokens that stand in the text are read as such, as Transformers reads them. */
  encode(text: string, { addSpecial = false }: EncodeOptions = {}): number[] {
    return this.#library.encode(text, { add_special_tokens: addSpecial }).ids;
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

  /**
   * @param vocabulary of the model.
   * @throws ModelFileError where the tokenizer's decoder is of a kind whose tokens are no bytes by themselves.
   */
  tokenTexts(vocabulary: number): TokenTexts {
    const { decoder, added_tokens: added } = this.#definition;
    const ids = Array.isArray(added) ? added.map((token) => (token as { id: number }).id) : [];
    const spelling = (token: number): string | undefined => this.#library.id_to_token(token);
    try {
      return tokenTexts({ decoder, added: new Set(ids), spelling }, vocabulary);
    } catch (error) {
      throw new ModelFileError(`${this.folder}: ${(error as Error).message}`, { cause: error });
    }
  }

  stream(options: DecodeOptions = {}): TextStream {
    return new TextStream((tokens) => this.decode(tokens, options));
  }

  /** @returns undefined where the tokenizer has no such token. */
  idOf(token: string): number | undefined {
    return this.#library.token_to_id(token);
  }

  /**
   * The text of a conversation, up to where the assistant begins, unless `answers` is false.
   * @throws ModelFileError where there is no chat template, or it refuses these messages.
   */
  applyChatTemplate(messages: readonly ChatMessage[], answers = true): string {
    try {
      return this.requireChat().converse(messages, answers);
    } catch (error) {
      if (error instanceof ModelFileError) throw error;
      const roles = messages.map(({ role }) => role).join(', ');
      throw new ModelFileError(
        `${this.folder}: the chat template refuses messages of ${roles}: ${(error as Error).message}`,
      );
    }
  }

  /** @throws ModelFileError naming where a chat template could stand, and does not. */
  requireChat(): ChatTemplate {
    if (this.chat !== undefined) return this.chat;
    throw new ModelFileError(
      `${this.folder} has no chat template: neither ${CHAT_TEMPLATE_FILE} nor chat_template in ${TOKENIZER_CONFIG_FILE}`,
    );
  }
}
