/** What a run's configuration says of its text prompts. */
import type { HuggingFacePolicyConfig } from '../../config/policy.js';
import type { RunConfig } from '../../config/run.js';
import { policyOf } from '../../sandbox/policy.js';
import type { TextCodecOptions } from './codec.js';

/** All but what comes with the model: its tokenizer, its end tokens, and its chat template where `chatTemplate` asks for it. */
export function textCodecOptions(
  policy: HuggingFacePolicyConfig,
  { propose, sandbox }: Pick<RunConfig, 'propose' | 'sandbox'>,
): Omit<TextCodecOptions, 'tokenizer' | 'endTokens' | 'tokenTexts' | 'chat'> {
  const { wrapper, maxPromptTokens, maxContentTokens, maxResponseTokens, inductionInputs, program } = policy;
  return {
    wrapper,
    maxPromptTokens,
    maxContentTokens,
    maxResponseTokens,
    inductionInputs,
    program,
    bannedImports: policyOf(sandbox.policy).bannedImports,
    bannedErrorKeywords: propose.bannedErrorKeywords,
  };
}
