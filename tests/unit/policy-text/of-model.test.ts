/** Text prompts of a run with a pre-trained model: from its folder, or refused before any work. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCodecs } from '../../../src/activities/codecs.js';
import { UsageError } from '../../../src/config/errors.js';
import { requirePolicy } from '../../../src/config/policy-present.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import type { RunConfig } from '../../../src/config/run.js';
import { ModelTokenizer } from '../../../src/policy/tokenizer/index.js';
import { tinyCodec } from '../../../src/policy/tiny/codec.js';
import { SMALL_LLAMA, writeSmallLlama } from '../../support/hugging-face-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-of-model-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const PROGRAM = 'def f(a):\n    return a + 1';
const asked = { code: PROGRAM, input: '3', givenPairs: [], hiddenPairs: [] };

async function configOf(...overrides: string[]): Promise<RunConfig> {
  const lengths = [
    'policy.maxPromptTokens=1800',
    'policy.maxContentTokens=1800',
    'policy.maxResponseTokens=64',
  ];
  return (await resolveRunConfig('smollm2', [`policy.path=${folder}`, ...lengths, ...overrides])).config;
}

async function refusalOf(...overrides: string[]): Promise<UsageError> {
  const error: unknown = await requirePolicy(await configOf(...overrides)).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsageError);
  return error as UsageError;
}

describe('the codec of a run', () => {
  it('is the tiny one for the tiny policy', async () => {
    expect(await createCodecs().of((await resolveRunConfig('tiny')).config)).toBe(tinyCodec);
  });

  it("speaks through the model's own tokenizer and chat template", async () => {
    await writeSmallLlama(folder);
    const config = await configOf();
    await requirePolicy(config);
    const codecs = createCodecs();
    const codec = await codecs.of(config);
    expect(await codecs.of(config)).toBe(codec);
    const prompt = codec.solvePrompt('deduction', asked);
    expect(prompt.text).toMatch(/^<\|turn\|>system\nShort answers\.<\|stop\|>\n<\|turn\|>user\n/);
    expect(prompt.text).toContain(PROGRAM);
    expect(prompt.text).toMatch(/<\|stop\|>\n<\|turn\|>assistant\n$/);
    const tokenizer = await ModelTokenizer.load(folder);
    expect(prompt.tokens).toEqual(tokenizer.encode(prompt.text ?? ''));
    expect(prompt.tokens.filter((token) => token === 1)).toHaveLength(3);
    expect(prompt.maxTokens).toBe(64);
  });

  it('reads completions up to any of the end tokens', async () => {
    await writeSmallLlama(folder);
    const codec = await createCodecs().of(await configOf());
    const answer = (await ModelTokenizer.load(folder)).encode('```output\n4\n```');
    for (const end of [[], [0], [2]]) {
      const completion = { tokens: [...answer, ...end], finish: 'end' } as const;
      expect(codec.text(completion.tokens)).toBe('```output\n4\n```');
      expect(codec.parseSolution('deduction', completion)).toMatchObject({ formatOk: true, answer: '4' });
    }
  });

  it('is another one under another configuration', async () => {
    await writeSmallLlama(folder);
    const codecs = createCodecs();
    const plain = await codecs.of(await configOf('policy.chatTemplate=plain'));
    expect(plain.solvePrompt('deduction', asked).text).toMatch(/^## Task/);
    expect(plain.templateVersion).not.toBe((await codecs.of(await configOf())).templateVersion);
  });

  it('is looked for again once its folder is there', async () => {
    const codecs = createCodecs();
    const config = await configOf();
    await expect(codecs.of(config)).rejects.toThrow(/config\.json is missing/);
    await writeSmallLlama(folder);
    await expect(codecs.of(config)).resolves.toBeDefined();
  });
});

describe('a model that does not fit its run is refused before any work', () => {
  it('where prompt and answer exceed the context', async () => {
    await writeSmallLlama(folder, { max_position_embeddings: 1000 });
    expect((await refusalOf()).message).toMatch(
      /policy\.maxPromptTokens \+ policy\.maxResponseTokens is 1864; accepted are up to 1000 together/,
    );
  });

  it('where the tokenizer has more tokens than the model', async () => {
    await writeSmallLlama(folder, { vocab_size: 300 });
    expect((await refusalOf()).message).toMatch(
      /tokenizer\.json does not match the model: .* is 383; accepted are 0 to 299/,
    );
  });

  it('where the chat template is missing', async () => {
    await writeSmallLlama(folder);
    await rm(path.join(folder, 'chat_template.jinja'));
    expect((await refusalOf()).message).toMatch(/has no chat template/);
    await requirePolicy(await configOf('policy.chatTemplate=plain'));
  });

  it('where the architecture is unknown or the weights are missing', async () => {
    await writeSmallLlama(folder);
    await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...SMALL_LLAMA, model_type: 'gpt2' }));
    expect((await refusalOf()).message).toMatch(/model_type is "gpt2"; accepted are/);
    await writeSmallLlama(folder);
    await rm(path.join(folder, 'model.safetensors'));
    expect((await refusalOf()).message).toMatch(
      /model\.safetensors is missing; accepted is a folder with model\.safetensors/,
    );
  });
});
