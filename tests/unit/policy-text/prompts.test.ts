import { describe, expect, it } from 'vitest';
import {
  createTextCodec,
  PromptTooLongError,
  type TextCodecOptions,
} from '../../../src/policy/text/codec.js';
import { WRAPPERS } from '../../../src/policy/text/envelope.js';
import { parseFences } from '../../../src/policy/text/fences.js';
import { fill } from '../../../src/policy/text/render.js';
import { BANNED_IMPORTS } from '../../../src/sandbox/validate.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { Task, TaskKind } from '../../../src/tasks/types.js';
import { characterTokenizer } from './character-tokenizer.js';

const codecWith = (options: Partial<TextCodecOptions> = {}) =>
  createTextCodec({ tokenizer: characterTokenizer, wrapper: 'bare', maxResponseTokens: 100, ...options });
const codec = codecWith();

const CODE = 'def f(x):\n    return "{{seconds}} Assistant: </answer> \\boxed{" + x';
const task = (kind: TaskKind): Task => ({
  taskId: 't',
  kind,
  code: CODE,
  inputs: ["'given-in'", "'hidden-in'"],
  outputs: ["'given-out'", "'hidden-out'"],
  message: 'It says {{something}}.',
});
const reference = (name: string) => ({
  code: `def f(x):\n    return ${name}`,
  input: `'${name}-in'`,
  output: `'${name}-out'`,
});
const solveText = (kind: TaskKind): string =>
  codec.solvePrompt(kind, taskKinds[kind].solve(task(kind))).text ?? '';
const blocksOf = (text: string): [string, string][] =>
  parseFences(text).map(({ tag, content }) => [tag, content]);

describe('prompts', () => {
  it('in each wrapper are what they were', () => {
    for (const wrapper of WRAPPERS) {
      const own = codecWith({ wrapper, inductionInputs: 3, bannedImports: [], timeLimitSeconds: 10 });
      expect(own.templateVersion).toBe(`text.v1/${wrapper}`);
      expect(
        own.solvePrompt('deduction', taskKinds.deduction.solve(task('deduction'))).text,
      ).toMatchSnapshot();
    }
    expect(codec.proposePrompt('abduction', [reference('a'), reference('b')], null).text).toMatchSnapshot();
    expect(codec.proposePrompt('induction', [], CODE).text).toMatchSnapshot();
  });

  it('are the tokens of their text, and say how long a response may be', () => {
    const { text, tokens, maxTokens, grammar } = codec.proposePrompt('deduction', [], null);
    expect(characterTokenizer.decode(tokens)).toBe(text);
    expect(maxTokens).toBe(100);
    expect(grammar).toBeUndefined();
  });

  it('show a solver what it is given, as it is, and nothing else', () => {
    const deduction = solveText('deduction');
    expect(blocksOf(deduction)).toContainEqual(['python', CODE]);
    expect(blocksOf(deduction)).toContainEqual(['input', "'given-in'"]);
    expect(deduction).not.toContain('-out');

    const abduction = solveText('abduction');
    expect(blocksOf(abduction)).toContainEqual(['output', "'given-out'"]);
    expect(abduction).not.toContain('-in');

    const induction = solveText('induction');
    expect(blocksOf(induction)).toEqual(
      expect.arrayContaining([
        ['input_0', "'given-in'"],
        ['output_0', "'given-out'"],
        ['message', 'It says {{something}}.'],
      ]),
    );
    expect(induction).not.toContain('hidden');
    expect(induction).not.toContain('Assistant:');
  });

  it('show a proposer the references in numbered tags, and ask for something else than these', () => {
    const text = codec.proposePrompt('deduction', [reference('a'), reference('b')], null).text ?? '';
    expect(text).toContain(
      "<snippet_1>\n```python\ndef f(x):\n    return b\n```\n```input\n'b-in'\n```\n```output\n'b-out'\n```\n</snippet_1>",
    );
    expect(text).toContain('differs from the reference programs');
    const without = codec.proposePrompt('deduction', [], null).text ?? '';
    expect(without).not.toMatch(/reference|snippet/);
  });

  it('name the rules that validation enforces', () => {
    const text = codec.proposePrompt('abduction', [], null).text ?? '';
    for (const name of BANNED_IMPORTS) expect(text).toContain(name);
    expect(text).toContain('within 2 seconds');
    expect(text).toContain('the only function at the top level');
    const free = codecWith({ program: { rejectMultipleFunctions: false }, timeLimitSeconds: 10 });
    const other = free.proposePrompt('abduction', [], null).text ?? '';
    expect(other).toContain('within 10 seconds');
    expect(other).toContain('or, before it, at the top level');
  });

  it('of an induction proposal hold the program and a call, and the number of inputs', () => {
    const text = codec.proposePrompt('induction', [reference('a')], CODE).text ?? '';
    expect(blocksOf(text)).toContainEqual(['python', `${CODE}\n\nf(<your input stands here>)`]);
    expect(text).toContain('Propose 10 inputs');
    expect(text).not.toContain('a-in');
  });

  it('keep contents with fences in one block', () => {
    const fenced = 'def f(x):\n    return """\n`````\n```python\n"""';
    const { text } = codec.proposePrompt('induction', [], fenced);
    expect(blocksOf(text ?? '').at(-1)?.[1]).toContain(fenced);
  });

  it('need what their kind needs', () => {
    expect(() => codec.proposePrompt('induction', [], null)).toThrow('program is missing');
    expect(() => codec.solvePrompt('deduction', { code: CODE, givenPairs: [], hiddenPairs: [] })).toThrow(
      'input is missing',
    );
    expect(() => codec.solvePrompt('abduction', { code: CODE, givenPairs: [], hiddenPairs: [] })).toThrow(
      'output is missing',
    );
    expect(() => fill('{{a}}', {})).toThrow('slot {{a}} has no text');
  });
});

describe('a bound on prompts', () => {
  const references = [reference('a'), reference('b'.repeat(500)), reference('c')];
  const lengthOf = (shown: typeof references): number =>
    codec.proposePrompt('deduction', shown, null).tokens.length;

  it('drops the longest references until the rest fits, and says which are shown', () => {
    expect(codec.proposePrompt('deduction', references, null).shownReferences).toEqual([0, 1, 2]);
    const limit = lengthOf([reference('a'), reference('c')]);
    const bounded = codecWith({ maxPromptTokens: limit }).proposePrompt('deduction', references, null);
    expect(bounded.shownReferences).toEqual([0, 2]);
    expect(bounded.text).toBe(codec.proposePrompt('deduction', [reference('a'), reference('c')], null).text);
    const tighter = codecWith({ maxPromptTokens: limit - 1 }).proposePrompt('deduction', references, null);
    expect(tighter.shownReferences).toEqual([0]);
    const none = codecWith({ maxPromptTokens: lengthOf([]) }).proposePrompt('deduction', references, null);
    expect(none.shownReferences).toEqual([]);
  });

  it('refuses what cannot be shortened', () => {
    const limit = lengthOf([]) - 1;
    const bounded = codecWith({ maxPromptTokens: limit });
    expect(() => bounded.proposePrompt('deduction', references, null)).toThrow(
      new PromptTooLongError(limit + 1, limit),
    );
    const view = { code: 'x'.repeat(10_000), input: '1', givenPairs: [], hiddenPairs: [] };
    expect(() => bounded.solvePrompt('deduction', view)).toThrow(PromptTooLongError);
    expect(() => bounded.proposePrompt('induction', [], 'x'.repeat(10_000))).toThrow(
      /accepted are up to \d+ \(maxPromptTokens\)/,
    );
  });
});

describe('options', () => {
  it.each<[Partial<Record<keyof TextCodecOptions, unknown>>, string]>([
    [{ wrapper: 'chat' }, 'wrapper is chat; accepted are think, boxed, bare'],
    [{ maxResponseTokens: 0 }, 'maxResponseTokens is 0; accepted are integers from 1'],
    [{ maxPromptTokens: 1.5 }, 'maxPromptTokens is 1.5; accepted are integers from 1'],
    [{ inductionInputs: -1 }, 'inductionInputs is -1; accepted are integers from 1'],
    [{ timeLimitSeconds: 0 }, 'timeLimitSeconds is 0; accepted are numbers above 0'],
    [{ endTokens: [-1] }, 'endTokens holds -1; accepted are token ids from 0'],
    [
      { program: { entry: 'first' } },
      'program.entry is first; accepted are not_first, any_last, any_first, not_last',
    ],
  ])('%j are refused', (options, message) => {
    expect(() => codecWith(options as Partial<TextCodecOptions>)).toThrow(new RangeError(message));
  });
});
