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
  /** `do_sample`: whether Transformers would draw; absent counts as false there. */
  readonly samples?: boolean;
}

/** How a completion is drawn: the fields of a SampleRequest. */
export interface Draw {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Absent: all tokens. */
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
}

/**
 * What Transformers' generate() would do of its own accord, what is asked for first: greedy where the file does not say
 * do_sample, else by its fields. Asking for a temperature above 0, or for a truncation, is asking for a sample.
 */
export function drawOf(said: GenerationSampling, asked: Partial<Draw>): Draw {
  const draws =
    asked.temperature === undefined
      ? Object.keys(asked).length > 0 || said.samples === true
      : asked.temperature > 0;
  if (!draws) return { temperature: 0 };
  const { temperature = 1, topK = 0, topP, minP } = { ...said, ...asked };
  return {
    temperature,
    ...(topK === 0 ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(minP === undefined ? {} : { minP }),
  };
}

/** Fields that change what Transformers generates and are not built, with the values that change nothing. */
const NOT_BUILT: Readonly<Record<string, readonly unknown[]>> = {
  num_beams: [1],
  repetition_penalty: [1],
  encoder_repetition_penalty: [1],
  no_repeat_ngram_size: [0],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  top_h: [],
  penalty_alpha: [0],
  bad_words_ids: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  sequence_bias: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  min_new_tokens: [0],
  min_length: [0],
};

/** E.g. `repetition_penalty 1.1`; none where there is no file. @throws ModelFileError */
export async function notBuiltFields(folder: string): Promise<string[]> {
  const fields = await generationFields(folder);
  return Object.entries(NOT_BUILT).flatMap(([name, harmless]) => {
    const value = fields?.get(name);
    return value === undefined || harmless.includes(value) ? [] : [`${name} ${JSON.stringify(value)}`];
  });
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
 * What the file leaves out has no default here; Transformers takes 50 for top_k. Self-play samples whatever `do_sample`
 * says.
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
  const samples = fields.get('do_sample') === undefined ? undefined : fields.flag('do_sample', false);
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
    ...(samples === undefined ? {} : { samples }),
  };
}
