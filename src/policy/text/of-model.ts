/** The text codec of a pre-trained model: its tokenizer, its chat template, its end tokens and its context. */
import type { HuggingFacePolicyConfig } from '../../config/policy.js';
import type { RunConfig } from '../../config/run.js';
import { openHuggingFaceModel } from '../hugging-face/folder.js';
import { endTokens } from '../engine/parameters.js';
import { ModelTokenizer } from '../tokenizer/index.js';
import { createTextCodec, type TextCodec } from './codec.js';
import { textCodecOptions } from './options.js';

/**
 * Reads the folder's tokenizer and configuration; of weights nothing but headers.
 * @throws ModelFileError for what the folder lacks or what does not fit together.
 * @throws RangeError where prompts and answers of the configured lengths do not fit the model's context.
 */
export async function textCodecOfModel(
  folder: string,
  policy: HuggingFacePolicyConfig,
  run: Pick<RunConfig, 'propose' | 'sandbox'>,
): Promise<TextCodec> {
  const { spec, source } = await openHuggingFaceModel(folder);
  await source.close();
  const { maxPromptTokens, maxResponseTokens } = policy;
  if (maxPromptTokens + maxResponseTokens > spec.context)
    throw new RangeError(
      `policy.maxPromptTokens + policy.maxResponseTokens is ${maxPromptTokens + maxResponseTokens}; accepted are up to ${spec.context} together, the context of ${folder}`,
    );
  const tokenizer = await ModelTokenizer.load(folder);
  tokenizer.checkFits(spec.vocabulary);
  return createTextCodec({
    ...textCodecOptions(policy, run),
    tokenizer,
    endTokens: endTokens(spec),
    ...(policy.sampling.stop.length > 0 ? { tokenTexts: tokenizer.tokenTexts(spec.vocabulary) } : {}),
    ...(policy.chatTemplate === 'tokenizer' ? { chat: tokenizer.requireChat() } : {}),
  });
}
