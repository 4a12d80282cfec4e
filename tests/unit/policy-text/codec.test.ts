import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTextCodec } from '../../../src/policy/text/codec.js';
import { extractProposal, extractSolution, splitResponse } from '../../../src/policy/text/extract.js';
import { fencedBlocks } from '../../../src/policy/text/fences.js';
import { outlineOf, renameEntry } from '../../../src/policy/text/program.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { Task } from '../../../src/tasks/types.js';

/** Bytes as tokens: any text goes through unchanged. */
const tokenizer = {
  encode: (text: string): number[] => [...Buffer.from(text)],
  decode: (tokens: readonly number[]): string => Buffer.from(tokens).toString(),
};
const codec = createTextCodec({ tokenizer, wrapper: 'answer', maxResponseTokens: 4096 });
const RULES = { wrapper: 'answer', rejectMultipleFunctions: true, inductionInputs: 2 } as const;
const respond = (answer: string): string => `I think.</think>\n<answer>\n${answer}\n</answer>`;

describe('fenced blocks', () => {
  it.each([
    ['plain', '```python\nx = 1\n```', [['python', 'x = 1', true]]],
    [
      'two',
      '```input\n1\n```\ntext\n```python\ny\n```',
      [
        ['input', '1', true],
        ['python', 'y', true],
      ],
    ],
    ['unclosed', '```output\n[1,\n2]', [['output', '[1,\n2]', false]]],
    [
      'longer fence holds a shorter one',
      '````python\ns = """\n```\n"""\n````',
      [['python', 's = """\n```\n"""', true]],
    ],
    ['tildes', '~~~ Python extra\na\n~~~', [['python', 'a', true]]],
    ['CRLF', '```python\r\nx\r\n```\r\n', [['python', 'x', true]]],
    ['indented code is no fence', '    ```python\n    x', []],
  ])('%s', (_name, text, expected) => {
    expect(fencedBlocks(text).map(({ tag, content, closed }) => [tag, content, closed])).toEqual(expected);
  });
});

describe('a program’s outline', () => {
  it('counts top-level functions only, and sees through strings, brackets and comments', () => {
    const code = [
      'import math',
      'class Node:',
      '    def __init__(self): pass',
      'def f(a,',
      '      b=")"):',
      '    def inner(): return """',
      'def not_a_function():',
      '"""',
      '    # def neither():',
      '    from math import (sqrt,',
      '        floor)',
      '    return inner()',
    ].join('\n');
    expect(outlineOf(code).functions).toEqual(['f']);
    expect(outlineOf(code).imports).toEqual(['import math', 'from math import (sqrt,         floor)']);
  });

  it('renames the entry function where it is called, not where it is a word in a string', () => {
    expect(renameEntry("def go(n):\n    return go(n - 1) + x.go(1) + 'go(2)'", 'go')).toBe(
      "def f(n):\n    return f(n - 1) + x.go(1) + 'go(2)'",
    );
  });
});

describe('responses', () => {
  it('are split into thought and answer, with the format score', () => {
    expect(splitResponse(respond('42'), 'answer')).toEqual({
      formatOk: true,
      thought: 'I think.',
      answer: '42',
    });
    expect(splitResponse('no tags', 'answer')).toEqual({ formatOk: false, thought: 'no tags', answer: '' });
    expect(splitResponse('a</think> so <answer>1</answer>', 'answer').formatOk).toBe(false);
    expect(splitResponse('a</think><answer>1', 'answer')).toMatchObject({ formatOk: false, answer: '1' });
  });

  it('give a proposal whatever the order of its blocks', () => {
    const parsed = extractProposal(
      'deduction',
      respond('```input\n[3, 1]\n```\n```python\ndef go(x):\n    return sorted(x)\n```'),
      null,
      RULES,
    );
    expect(parsed).toMatchObject({
      ok: true,
      code: 'def f(x):\n    return sorted(x)',
      originalCode: 'def go(x):\n    return sorted(x)',
      inputs: ['[3, 1]'],
    });
  });

  it.each([
    ['no-program', '```input\n1\n```'],
    ['no-input', '```python\ndef f(x): return x\n```'],
    ['no-function', '```python\nx = 1\n```\n```input\n1\n```'],
    ['several-functions', '```python\ndef f(x): return x\ndef g(x): return x\n```\n```input\n1\n```'],
  ])('are refused with the reason %s', (reason, answer) => {
    expect(extractProposal('abduction', respond(answer), null, RULES)).toMatchObject({
      ok: false,
      formatOk: true,
      reason,
    });
  });

  it('accept programs with classes and methods', () => {
    const code =
      'class A:\n    def m(self): return 1\ndef f(x):\n    def g(): return A().m()\n    return g()';
    expect(
      extractProposal(
        'deduction',
        respond(`\`\`\`python\n${code}\n\`\`\`\n\`\`\`input\n1\n\`\`\``),
        null,
        RULES,
      ),
    ).toMatchObject({ ok: true, code });
  });

  it('give induction proposals their last inputs and the message', () => {
    const answer = '```input\n1\n```\n```input\n2\n```\n```input\n3\n```\n```message\nadds\n```';
    expect(extractProposal('induction', respond(answer), 'def f(x): return x', RULES)).toMatchObject({
      ok: true,
      inputs: ['2', '3'],
      message: 'adds',
    });
    expect(
      extractProposal('induction', respond('```input\n1\n```'), 'def f(x): return x', RULES),
    ).toMatchObject({ reason: 'too-few-inputs' });
  });

  it('give solutions: the last block of their kind, or the text', () => {
    expect(
      extractSolution('deduction', respond('```output\n1\n```\n```output\n2\n```'), 'answer').answer,
    ).toBe('2');
    expect(extractSolution('deduction', respond('[1, 2]'), 'answer').answer).toBe('[1, 2]');
    expect(extractSolution('deduction', 'So \\boxed{{1: {2}}}', 'boxed').answer).toBe('{1: {2}}');
    expect(extractSolution('induction', respond('prose only'), 'answer')).toMatchObject({
      formatOk: false,
      answer: null,
    });
    expect(extractSolution('abduction', respond(''), 'answer').answer).toBeNull();
  });

  it('never throw, whatever the text', () => {
    const parts = fc.array(
      fc.oneof(
        fc.string(),
        fc.constantFrom(
          '```',
          '~~~',
          '<answer>',
          '</answer>',
          '</think>',
          'def f(',
          '"""',
          "'",
          '\\',
          '\n',
          'Assistant:',
        ),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(parts, (pieces) => {
        const text = pieces.join('');
        for (const kind of ['deduction', 'abduction', 'induction'] as const) {
          extractProposal(kind, text, 'def f(x): return x', RULES);
          extractSolution(kind, text, 'answer');
        }
      }),
    );
    const long = `${'```python\n'.repeat(100_000)}${'"'.repeat(1_000_000)}`;
    expect(extractSolution('induction', respond(long), 'answer').formatOk).toBe(true);
  });
});

describe('prompts', () => {
  const task: Task = {
    taskId: 't',
    kind: 'deduction',
    code: 'def f(x):\n    return x',
    inputs: ['1', '2'],
    outputs: ['1', '2'],
    message: 'same',
  };

  it('are what they were', () => {
    const prompts = {
      'propose deduction': codec.proposePrompt(
        'deduction',
        [{ code: task.code, input: '1', output: '1' }],
        null,
      ),
      'propose abduction': codec.proposePrompt('abduction', [], null),
      'propose induction': codec.proposePrompt('induction', [], task.code),
      'solve deduction': codec.solvePrompt('deduction', taskKinds.deduction.solverView(task)),
      'solve abduction': codec.solvePrompt('abduction', taskKinds.abduction.solverView(task)),
      'solve induction': codec.solvePrompt('induction', taskKinds.induction.solverView(task)),
    };
    for (const [name, { text, tokens }] of Object.entries(prompts)) {
      expect(text).toMatchSnapshot(name);
      expect(tokenizer.decode(tokens)).toBe(text);
      expect(text?.endsWith('Assistant: <think>')).toBe(true);
    }
  });

  it('hold programs with fences of their own without breaking', () => {
    const code = 'def f(x):\n    return """\n```\n"""';
    const { text } = codec.solvePrompt('deduction', { code, input: '1', givenPairs: [], hiddenPairs: [] });
    expect(fencedBlocks(text ?? '').find(({ tag }) => tag === 'python')?.content).toBe(code);
  });
});
