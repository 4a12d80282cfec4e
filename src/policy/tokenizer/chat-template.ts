/**
 * Where a folder's chat template stands, first found counts: chat_template.jinja (Transformers 4.52 and later),
 * `chat_template` of tokenizer_config.json: a text, or a list of {name, template} of which `default` is taken.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ModelFileError } from '../safetensors/format.js';
import { jinjaChatTemplate, type ChatTemplate } from '../text/chat-template.js';
import { TOKENIZER_CONFIG_FILE, type JsonObject } from './files.js';

export const CHAT_TEMPLATE_FILE = 'chat_template.jinja';

/**
 * @param config of tokenizer_config.json
 * @returns undefined where the folder has no template.
 * @throws ModelFileError naming the file whose template is none.
 */
export async function readChatTemplate(
  folder: string,
  config: JsonObject,
): Promise<ChatTemplate | undefined> {
  const own = path.join(folder, CHAT_TEMPLATE_FILE);
  const alone = await readFile(own, 'utf8').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new ModelFileError(`${own} cannot be read (${code ?? String(error)})`);
  });
  const file = alone === undefined ? path.join(folder, TOKENIZER_CONFIG_FILE) : own;
  const source = alone ?? templateOf(config['chat_template'], file);
  if (source === undefined) return undefined;
  const [bosToken, eosToken] = [textOf(config['bos_token']), textOf(config['eos_token'])];
  try {
    return jinjaChatTemplate(source, {
      ...(bosToken === undefined ? {} : { bosToken }),
      ...(eosToken === undefined ? {} : { eosToken }),
    });
  } catch (error) {
    throw new ModelFileError(`${file}: ${(error as Error).message}`);
  }
}

/** A special token is a text, or an object with it as `content`. */
function textOf(token: unknown): string | undefined {
  const text: unknown =
    typeof token === 'object' && token !== null ? (token as JsonObject)['content'] : token;
  return typeof text === 'string' ? text : undefined;
}

function templateOf(value: unknown, file: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  const named: unknown = Array.isArray(value)
    ? value.find((entry: unknown) => (entry as { name?: unknown } | null)?.name === 'default')
    : undefined;
  const text = (named as { template?: unknown } | undefined)?.template;
  if (typeof text === 'string') return text;
  throw new ModelFileError(
    `${file}: chat_template is ${JSON.stringify(value).slice(0, 80)}; accepted are a text, or a list of {name, template} with one named default`,
  );
}
