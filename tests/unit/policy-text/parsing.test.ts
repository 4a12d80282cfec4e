/** Completions through the whole codec: what reaches validation and the judge. */
import { describe, expect, it } from 'vitest';
import {
  createTextCodec,
  TEXT_PROPOSAL_REASONS,
  type TextCodecOptions,
} from '../../../src/policy/text/codec.js';
import type { Completion } from '../../../src/policy/codec.js';
import { characterTokenizer } from './character-tokenizer.js';

const END = 70_000;
const codecWith = (options: Partial<TextCodecOptions> = {}) =>
  createTextCodec({
    tokenizer: characterTokenizer,
    wrapper: 'think',
    maxResponseTokens: 100,
    endTokens: [END],
    inductionInputs: 2,
    ...options,
  });
const codec = codecWith();
const ended = (text: string): Completion => ({
  tokens: [...characterTokenizer.encode(text), END],
  finish: 'end',
});
const cut = (text: string): Completion => ({ tokens: characterTokenizer.encode(text), finish: 'length' });
const inAnswer = (answer: string): string => `T</think>\n<answer>\n${answer}\n</answer>`;
const PAIR = '```python\nimport math\ndef go(x):\n    return go(x)\n```\n```input\n1\n```';

describe('proposals', () => {
  it('of a program come with the program as written and as it is run', () => {
    expect(codec.parseProposal('abduction', ended(inAnswer(PAIR)), null)).toEqual({
      ok: true,
      formatOk: true,
      code: 'import math\ndef f(x):\n    return f(x)',
      originalCode: 'import math\ndef go(x):\n    return go(x)',
      inputs: ['1'],
      message: null,
      imports: ['import math'],
      thought: 'T',
    });
  });

  it('of inputs come with the given program', () => {
    const program = 'from math import pi\ndef f(x):\n    return x';
    const answer = '```input\n1\n```\n```input\n2\n```\n```message\nM\n```';
    expect(codec.parseProposal('induction', ended(inAnswer(answer)), program)).toEqual({
      ok: true,
      formatOk: true,
      code: program,
      originalCode: program,
      inputs: ['1', '2'],
      message: 'M',
      imports: ['from math import pi'],
      thought: 'T',
    });
    expect(() => codec.parseProposal('induction', ended(inAnswer(answer)), null)).toThrow(
      'program is missing',
    );
  });

  it('of a bad form may still be valid', () => {
    const parsed = codec.parseProposal('deduction', ended(`T</think> so <answer>${PAIR}</answer>`), null);
    expect(parsed).toMatchObject({ ok: true, formatOk: false });
  });

  it.each<[string, boolean, string]>([
    ['no-answer', false, PAIR],
    ['no-program', true, inAnswer('```input\n1\n```')],
    ['no-input', true, inAnswer('```python\ndef f(x): return x\n```')],
    ['no-function', true, inAnswer('```python\nx = 1\n```\n```input\n1\n```')],
    ['multiple-functions', true, inAnswer('```python\ndef a(): 1\ndef b(): 2\n```\n```input\n1\n```')],
    ['code-too-long', true, inAnswer(`\`\`\`python\n${'#'.repeat(70_000)}\n\`\`\`\n\`\`\`input\n1\n\`\`\``)],
  ])('are refused as %s, with their format score', (reason, formatOk, text) => {
    expect(TEXT_PROPOSAL_REASONS).toContain(reason);
    expect(codec.parseProposal('deduction', ended(text), null)).toMatchObject({
      ok: false,
      formatOk,
      reason,
    });
    expect(codec.parseProposal('deduction', cut(text), null)).toMatchObject({
      ok: false,
      reason: 'unfinished',
      detail: expect.stringContaining(`cut after ${text.length} tokens; ${reason}`) as string,
    });
  });

  it('that are complete count also where the response was cut after them', () => {
    expect(codec.parseProposal('deduction', cut(`${inAnswer(PAIR)} and then`), null)).toMatchObject({
      ok: true,
      formatOk: true,
    });
  });

  it("about dialogues and tags are read like others, for only the response's own form counts", () => {
    const code = 'def f(x):\n    return "User: </answer> Assistant: <think>" + x';
    const text = `Assistant: hm</think><answer>\`\`\`python\n${code}\n\`\`\`\n\`\`\`input\n'Assistant:'\n\`\`\`</answer>`;
    expect(codec.parseProposal('deduction', ended(text), null)).toMatchObject({
      ok: true,
      formatOk: true,
      code,
      inputs: ["'Assistant:'"],
      thought: 'Assistant: hm',
    });
    const prompt = codec.solvePrompt('deduction', {
      code,
      input: "'Assistant:'",
      givenPairs: [],
      hiddenPairs: [],
    });
    expect(prompt.text?.split('Assistant:')).toHaveLength(4);
  });
});

describe('solutions', () => {
  it.each<[string, 'deduction' | 'abduction' | 'induction', string, object]>([
    [
      'a block',
      'deduction',
      inAnswer('```output\n"A"\n```'),
      { formatOk: true, thought: 'T', answer: '"A"' },
    ],
    ['bare text', 'abduction', inAnswer('1, 2'), { formatOk: true, thought: 'T', answer: '1, 2' }],
    ['nothing', 'deduction', inAnswer(''), { formatOk: false, thought: 'T', answer: null }],
    [
      'no tags',
      'deduction',
      '```output\n1\n```',
      { formatOk: false, thought: '```output\n1\n```', answer: null },
    ],
    [
      'a program in no block',
      'induction',
      inAnswer('def f(x): 1'),
      { formatOk: false, thought: 'T', answer: null },
    ],
    [
      'a program, as it is written',
      'induction',
      inAnswer('```python\n    \ndef go(x):\n    return 1\n```'),
      { formatOk: true, thought: 'T', answer: 'def go(x):\n    return 1' },
    ],
  ])('%s', (_name, kind, text, expected) => {
    expect(codec.parseSolution(kind, ended(text))).toEqual(expected);
  });

  it('in other wrappers', () => {
    const boxed = codecWith({ wrapper: 'boxed' });
    expect(boxed.parseSolution('deduction', ended('so \\boxed{[1]}'))).toEqual({
      formatOk: true,
      thought: null,
      answer: '[1]',
    });
    expect(boxed.parseSolution('deduction', ended('so [1]'))).toMatchObject({
      formatOk: false,
      answer: null,
    });
    expect(boxed.parseProposal('deduction', ended(`\\boxed{\n${PAIR}}`), null)).toMatchObject({
      ok: true,
      formatOk: true,
    });
    const none = codecWith({ wrapper: 'bare' });
    expect(none.parseSolution('deduction', ended('```output\n1\n```'))).toMatchObject({
      formatOk: true,
      answer: '1',
    });
    expect(none.parseSolution('deduction', ended('1'))).toMatchObject({ formatOk: false, answer: '1' });
    expect(none.parseProposal('deduction', ended(PAIR), null)).toMatchObject({ ok: true, formatOk: true });
    expect(none.parseProposal('deduction', ended(PAIR.slice(0, -4)), null)).toMatchObject({
      ok: true,
      formatOk: false,
    });
    expect(none.parseProposal('deduction', ended('words'), null)).toMatchObject({
      ok: false,
      formatOk: false,
    });
  });
});

describe('text', () => {
  it('leaves out the end token where it stands last', () => {
    expect(codec.text([104, 105, END])).toBe('hi');
    expect(codecWith({ endTokens: [33] }).text([104, 33, 105])).toBe('h!i');
    expect(codec.text([])).toBe('');
  });
});
