/** Prompts through a model's own chat template, rendered by the library. */
import { describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { jinjaChatTemplate } from '../../../src/policy/text/chat-template.js';
import { createTextCodec, PromptTooLongError, type TextCodec } from '../../../src/policy/text/codec.js';
import type { Wrapper } from '../../../src/policy/text/envelope.js';
import { textCodecOptions } from '../../../src/policy/text/options.js';
import { BANNED_IMPORTS, PUBLISHED_BANNED_IMPORTS } from '../../../src/sandbox/policy.js';
import { characterTokenizer } from './character-tokenizer.js';

/** ChatML as instruction-tuned models write it: a system turn of its own, every turn between marks. */
const CHATML = `{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`;
/** Of a model that always thinks: the thought is open when its turn begins. */
const THINKING = CHATML.replace("assistant\n' }}", "assistant\n<think>\n' }}");

const codecWith = (wrapper: Wrapper, source?: string): TextCodec =>
  createTextCodec({
    tokenizer: characterTokenizer,
    wrapper,
    maxResponseTokens: 100,
    ...(source === undefined ? {} : { chat: jinjaChatTemplate(source, { bosToken: '<s>' }) }),
  });
const view = { code: 'def f(x):\n    return "{% x %}{{ y }}"', input: '1', givenPairs: [], hiddenPairs: [] };

describe("a prompt in a model's own chat template", () => {
  it('is one turn of the user, and opens the thought', () => {
    const text = codecWith('think', CHATML).solvePrompt('deduction', view).text ?? '';
    expect(text.startsWith('<s><|im_start|>user\n## Task: Deduce the output')).toBe(true);
    expect(text.endsWith('</answer>.<|im_end|>\n<|im_start|>assistant\n<think>')).toBe(true);
    expect(text).not.toMatch(/User:|Assistant:/);
    expect(text).toContain(view.code);
    expect(text.match(/<\|im_start\|>/g)).toHaveLength(2);
    expect(text).toMatchSnapshot();
  });

  it('opens no second thought where the template opens one', () => {
    const text = codecWith('think', THINKING).solvePrompt('deduction', view).text ?? '';
    expect(text.endsWith('<|im_start|>assistant\n<think>\n')).toBe(true);
  });

  it('asks for no thought in the other wrappers', () => {
    for (const wrapper of ['boxed', 'bare'] as const) {
      const text = codecWith(wrapper, CHATML).solvePrompt('deduction', view).text ?? '';
      expect(text.endsWith('<|im_end|>\n<|im_start|>assistant\n')).toBe(true);
      expect(text.includes('\\boxed{}')).toBe(wrapper === 'boxed');
      expect(text).not.toContain('<think>');
    }
  });

  it('is read back like that of a plain prompt', () => {
    const codec = codecWith('think', CHATML);
    const tokens = characterTokenizer.encode('T</think><answer>```output\n1\n```</answer>');
    expect(codec.parseSolution('deduction', { tokens, finish: 'end' })).toEqual({
      formatOk: true,
      thought: 'T',
      answer: '1',
    });
  });

  it('has the version of the words, the wrapper and the template', () => {
    const versions = [codecWith('think'), codecWith('think', CHATML), codecWith('think', THINKING)].map(
      ({ templateVersion }) => templateVersion,
    );
    expect(versions[0]).toBe('text.v1/think');
    for (const version of versions.slice(1)) expect(version).toMatch(/^text\.v1\/think\/[0-9a-f]{12}$/);
    expect(new Set(versions).size).toBe(3);
  });

  it.each([
    ['{% for m in messages %}', 'does not end'],
    ['{{ raise_exception("no user") }}', 'raises'],
    ['always the same', 'loses the message'],
  ])('is refused of a template %j, which %s', (source) => {
    expect(() => jinjaChatTemplate(source)).toThrow(
      /^chat_template is ".*": .*; accepted is a Jinja template that renders a user's message$/s,
    );
    expect(() => jinjaChatTemplate(source)).toThrow(RangeError);
  });
});

describe("a codec of a run's configuration", () => {
  it('has its wrapper, bounds, rules and words', async () => {
    const of = async (...overrides: string[]) => {
      const { config } = await resolveRunConfig('llama-8b', overrides);
      if (config.policy.kind !== 'huggingface') throw new Error('llama-8b is of another kind');
      return textCodecOptions(config.policy, config);
    };
    expect(await of()).toEqual({
      wrapper: 'think',
      maxPromptTokens: 6144,
      maxContentTokens: 5600,
      maxResponseTokens: 8096,
      inductionInputs: 10,
      program: { entry: 'any_last', rejectMultipleFunctions: false },
      bannedImports: BANNED_IMPORTS,
      bannedErrorKeywords: [],
    });
    const other = await of(
      ...['policy.wrapper=boxed', 'sandbox.policy=published', 'propose.bannedErrorKeywords=[raise]'],
    );
    expect(other).toMatchObject({
      wrapper: 'boxed',
      bannedImports: PUBLISHED_BANNED_IMPORTS,
      bannedErrorKeywords: ['raise'],
    });
  });

  it('bounds a prompt before its wrapper and with it, each by its name', () => {
    const options = { tokenizer: characterTokenizer, wrapper: 'think', maxResponseTokens: 100 } as const;
    const size = createTextCodec({ ...options, wrapper: 'bare' }).solvePrompt('deduction', view).tokens
      .length;
    const fits = createTextCodec({ ...options, maxContentTokens: size });
    expect(fits.solvePrompt('deduction', view).tokens.length).toBeGreaterThan(size);
    const bounded = createTextCodec({ ...options, maxContentTokens: size - 1 });
    expect(() => bounded.solvePrompt('deduction', view)).toThrow(
      new PromptTooLongError(size, size - 1, 'maxContentTokens'),
    );
    const whole = createTextCodec({ ...options, maxContentTokens: size, maxPromptTokens: size });
    expect(() => whole.solvePrompt('deduction', view)).toThrow(/\(maxPromptTokens\)/);
  });
});
