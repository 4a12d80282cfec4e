/** What generation_config.json says of how a model is sampled from. Its end tokens: config.ts. */
import path from 'node:path';
import { ModelFileError } from '../safetensors/format.js';
import { Fields, readJson } from './json-fields.js';

export const GENERATION_CONFIG_FILE = 'generation_config.json';

/** Absent: the file does not say. */
export interface GenerationSampling {
  readonly temperature?: number;
  /** 0: all tokens. */
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly stop?: readonly string[];
}

/** The file's fields; undefined where there is none. @throws ModelFileError */
export async function generationFields(folder: string): Promise<Fields | undefined> {
  const file = path.join(folder, GENERATION_CONFIG_FILE);
  try {
    return new Fields(file, await readJson(file));
  } catch (error) {
    if (error instanceof ModelFileError && error.message.includes('(ENOENT)')) return undefined;
    throw error;
  }
}

/**
 * Whether the file says that it samples (`do_sample`) is not looked at: self-play always does. What it leaves out has no
 * default here; Transformers takes 50 for top_k.
 * @throws ModelFileError naming the field, what stands there and what is accepted.
 */
export async function readGenerationSampling(folder: string): Promise<GenerationSampling> {
  const fields = await generationFields(folder);
  if (fields === undefined) return {};
  const number = (name: string, ok: (n: number) => boolean, accepted: string): number | undefined => {
    const value = fields.get(name);
    if (value === undefined) return undefined;
    return typeof value === 'number' && ok(value) ? value : fields.fail(name, accepted);
  };
  const isShare = (n: number): boolean => n >= 0 && n <= 1;
  const temperature = number('temperature', (n) => Number.isFinite(n) && n > 0, 'are numbers above 0');
  const topK = number('top_k', (n) => Number.isInteger(n) && n >= 0, 'are integers from 0, which is all');
  const topP = number('top_p', (n) => isShare(n) && n > 0, 'are numbers above 0, up to 1');
  const minP = number('min_p', isShare, 'are numbers from 0 to 1');
  const given = fields.get('stop_strings');
  const stop: unknown = typeof given === 'string' ? [given] : given;
  if (
    stop !== undefined &&
    !(Array.isArray(stop) && stop.every((text) => typeof text === 'string' && text !== ''))
  )
    fields.fail('stop_strings', 'are a text or a list of texts, none empty');
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(minP === undefined ? {} : { minP }),
    ...(stop === undefined ? {} : { stop: stop as string[] }),
  };
}
