/** The files that a tokenizer consists of. */
import { readFile } from 'node:fs/promises';
import { ModelFileError } from '../safetensors/format.js';

export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * @returns undefined where there is no such file.
 * @throws ModelFileError where it cannot be read or holds no JSON object.
 */
export async function readJsonObject(file: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new ModelFileError(`${file} cannot be read (${code ?? String(error)})`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelFileError(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ModelFileError(`${file} holds ${JSON.stringify(value).slice(0, 80)}; accepted is an object`);
  return value as JsonObject;
}
