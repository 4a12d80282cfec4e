/**
 * Chat templates: Jinja as Transformers runs it (@huggingface/jinja), over messages.
 *
 * Where it stands, first found counts: chat_template.jinja (Transformers 4.52 and later), `chat_template` of
 * tokenizer_config.json: a text, or a list of {name, template} of which `default` is taken.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Template } from '@huggingface/jinja';
import { ModelFileError } from '../safetensors/format.js';
import { TOKENIZER_CONFIG_FILE } from './files.js';

export const CHAT_TEMPLATE_FILE = 'chat_template.jinja';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Messages to text; with the beginning of the assistant's turn where it is to answer. */
export type ChatTemplate = (messages: readonly ChatMessage[], answers: boolean) => string;

/**
 * @param config of tokenizer_config.json
 * @param specials the texts that a template knows by name, as in `bos_token`
 * @returns undefined where the folder has no template.
 * @throws ModelFileError naming the file whose template is none.
 */
export async function readChatTemplate(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  specials: Readonly<Record<string, string>>,
): Promise<ChatTemplate | undefined> {
  const own = path.join(folder, CHAT_TEMPLATE_FILE);
  const alone = await readFile(own, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ModelFileError(
      `${own} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  });
  const file = alone === undefined ? path.join(folder, TOKENIZER_CONFIG_FILE) : own;
  const source = alone ?? templateOf(config['chat_template'], file);
  if (source === undefined) return undefined;
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw new ModelFileError(`${file}: the chat template is none: ${(error as Error).message}`);
  }
  return (messages, answers) => {
    try {
      return template.render({ ...specials, messages, add_generation_prompt: answers });
    } catch (error) {
      throw new ModelFileError(
        `${file}: the chat template refuses messages of ${messages.map(({ role }) => role).join(', ')}: ${(error as Error).message}`,
      );
    }
  };
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
