/** What a model folder has beside its weights. */
import { copyFile, readdir } from 'node:fs/promises';
import path from 'node:path';

/** Configuration, tokenizer, chat template. */
const COPIED =
  /^((config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json|merges\.txt|tokenizer\.model|.*\.jinja)$/;

/** Copies them into a folder that exists. */
export async function copyModelFiles(from: string, to: string): Promise<void> {
  for (const name of await readdir(from))
    if (COPIED.test(name)) await copyFile(path.join(from, name), path.join(to, name));
}
