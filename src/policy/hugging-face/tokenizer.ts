/** A model's tokenizer.json, by Hugging Face's library. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { ModelFileError } from '../safetensors/format.js';

export const TOKENIZER_FILE = 'tokenizer.json';
const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

export interface Tokenizer {
  /** With the special tokens that the tokenizer's post-processor adds. */
  encode(text: string): number[];
  /** Without special tokens. */
  decode(ids: readonly number[]): string;
}

/** What is used of the library, whose own types do not resolve under Node's rules for modules. */
interface LibraryTokenizer {
  encode(text: string): { readonly ids: number[] };
  decode(ids: number[], options: { readonly skip_special_tokens: boolean }): string;
  get_vocab(withAddedTokens: boolean): ReadonlyMap<string, number>;
}
const LibraryTokenizer = Library as unknown as new (definition: object, config: object) => LibraryTokenizer;

/**
 * @param vocabulary of the model: every token of the tokenizer has to be below it.
 * @returns undefined where the folder has no tokenizer.json.
 * @throws ModelFileError naming the file and what is wrong with it.
 */
export async function readTokenizer(folder: string, vocabulary: number): Promise<Tokenizer | undefined> {
  const file = path.join(folder, TOKENIZER_FILE);
  const definition = await readOptional(file);
  if (definition === undefined) return undefined;
  const config = await readOptional(path.join(folder, TOKENIZER_CONFIG_FILE));
  let library: LibraryTokenizer;
  try {
    library = new LibraryTokenizer(definition, config ?? {});
  } catch (error) {
    throw new ModelFileError(`${file} is no tokenizer that can be read: ${(error as Error).message}`);
  }
  for (const [token, id] of library.get_vocab(true))
    if (id >= vocabulary)
      throw new ModelFileError(
        `${file} does not match the model: token ${JSON.stringify(token)} is ${id}; accepted are 0 to ${vocabulary - 1}, the vocabulary of config.json`,
      );
  return {
    encode: (text) => library.encode(text).ids,
    decode: (ids) => library.decode([...ids], { skip_special_tokens: true }),
  };
}

async function readOptional(file: string): Promise<object | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ModelFileError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
  try {
    return JSON.parse(text) as object;
  } catch {
    throw new ModelFileError(`${file} is not JSON`);
  }
}
