/** A model folder for the commands that work with one, in this process; what is wrong with it is the user's to know. */
import { availableParallelism } from 'node:os';
import { BatchFileError } from '../learner/batch-file.js';
import { UsageError } from '../config/errors.js';
import { MemoryNeededError } from '../policy/engine/memory.js';
import { openNative } from '../policy/engine/backend.js';
import { threadVariables } from '../policy/engine/environment.js';
import { PretrainedModel } from '../policy/hugging-face/pretrained.js';
import { isDtype, type Dtype } from '../policy/safetensors/dtypes.js';
import { ModelFileError } from '../policy/safetensors/format.js';

/** What a model says of input that it does not take. RangeErrors of other origin are bugs, and rare enough here. */
const INPUT_ERRORS = [ModelFileError, MemoryNeededError, BatchFileError, RangeError];

/** @throws UsageError in place of an error that names a wrong input. */
export async function naming<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (INPUT_ERRORS.some((kind) => error instanceof kind))
      throw new UsageError((error as Error).message, { cause: error });
    throw error;
  }
}

/** Loads, works, and lets go. @param options see PretrainedModel.load */
export async function withPretrained<T>(
  folder: string,
  work: (model: PretrainedModel) => T | Promise<T>,
  options: { readonly adapter?: string } = {},
): Promise<T> {
  return naming(async () => {
    // Read when the library is loaded; what the user set stays.
    for (const [name, value] of Object.entries(threadVariables(availableParallelism())))
      process.env[name] ??= value;
    const model = await PretrainedModel.load(await openNative(), folder, options);
    try {
      return await work(model);
    } finally {
      model.dispose();
    }
  });
}

/** @throws UsageError naming the option. */
export function numberOption(
  option: string,
  text: string,
  accepted: string,
  ok: (n: number) => boolean,
): number {
  const value = Number(text);
  if (text.trim() === '' || !ok(value))
    throw new UsageError(`${option} is ${JSON.stringify(text)}; accepted are ${accepted}`);
  return value;
}

/** `1,2,3` @throws UsageError */
export function idsOption(text: string): number[] {
  return text
    .split(',')
    .map((part) =>
      numberOption('--ids', part, 'tokens with commas between, as in 1,2,3', Number.isSafeInteger),
    );
}

/** @throws UsageError for another type. */
export function dtypeOption(text: string): Dtype {
  if (isDtype(text)) return text;
  throw new UsageError(`--dtype is ${JSON.stringify(text)}; accepted are F32, F16, BF16`);
}
