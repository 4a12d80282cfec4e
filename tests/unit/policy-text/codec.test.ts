import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTextCodec } from '../../../src/policy/text/codec.js';
import { parseFences } from '../../../src/policy/text/fences.js';
import { collectImports, topLevelFunctions } from '../../../src/policy/text/program.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { ParsedProposal, ParsedSolution, Task, TaskKind } from '../../../src/tasks/types.js';

/** Bytes as tokens: any text goes through unchanged. */
const tokenizer = {
  encode: (text: string): number[] => [...Buffer.from(text)],
  decode: (tokens: readonly number[]): string => Buffer.from(tokens).toString(),
};
const codec = createTextCodec({
  tokenizer,
  wrapper: 'think',
  maxResponseTokens: 4096,
  inductionInputs: 2,
  program: { rejectMultipleFunctions: true },
});
const respond = (answer: string): string => `I think.</think>\n<answer>\n${answer}\n</answer>`;
const completion = (text: string) => ({ tokens: tokenizer.encode(text), finish: 'end' as const });
const propose = (kind: TaskKind, answer: string, program: string | null = null): ParsedProposal =>
  codec.parseProposal(kind, completion(respond(answer)), program);
const solve = (kind: TaskKind, text: string): ParsedSolution => codec.parseSolution(kind, completion(text));

describe('fenced blocks', () => {
  it.each([
    ['plain', '```python\nx = 1\n```', ['python']],
    ['two, the input first', '```input\n1\n```\ntext\n```python\ny\n```', ['input', 'python']],
    ['a longer fence holds a shorter one', '````python\ns = """\n```\n"""\n````', ['python']],
    ['indented by four is no fence', '    ```python\n    x', []],
  ])('%s', (_name, text, tags) => {
    expect(parseFences(text).map(({ tag }) => tag)).toEqual(tags);
  });
});

describe('programs', () => {
  it('have their top-level functions counted through strings, brackets and comments', () => {
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
      '    return inner()',
    ].join('\n');
    expect(topLevelFunctions(code)).toEqual(['f']);
    expect(collectImports(code)).toEqual(['import math']);
  });
});

describe('proposals', () => {
  it('are read whatever the order of their blocks, their entry function named f', () => {
    const parsed = propose(
      'deduction',
      '```input\n[3, 1]\n```\n```python\ndef go(x):\n    return sorted(x)\n```',
    );
    expect(parsed).toMatchObject({
      ok: true,
      formatOk: true,
      code: 'def f(x):\n    return sorted(x)',
      inputs: ['[3, 1]'],
      thought: 'I think.',
    });
  });

  it.each([
    ['no-program', '```input\n1\n```'],
    ['no-input', '```python\ndef f(x): return x\n```'],
    ['no-function', '```python\nx = 1\n```\n```input\n1\n```'],
    ['multiple-functions', '```python\ndef f(x): return x\ndef g(x): return x\n```\n```input\n1\n```'],
  ])('are refused with the reason %s', (reason, answer) => {
    expect(propose('abduction', answer)).toMatchObject({ ok: false, reason });
  });

  it('may hold classes, methods and nested functions', () => {
    const code =
      'class A:\n    def m(self): return 1\ndef f(x):\n    def g(): return A().m()\n    return g()';
    expect(propose('deduction', `\`\`\`python\n${code}\n\`\`\`\n\`\`\`input\n1\n\`\`\``)).toMatchObject({
      ok: true,
      code,
    });
  });

  it('of induction give their last inputs and a message', () => {
    const answer = '```input\n1\n```\n```input\n2\n```\n```input\n3\n```\n```message\nadds\n```';
    const program = 'def f(x):\n    return x';
    expect(propose('induction', answer, program)).toMatchObject({
      ok: true,
      inputs: ['2', '3'],
      message: 'adds',
    });
    expect(propose('induction', '```input\n1\n```', program)).toMatchObject({
      ok: false,
      reason: 'too-few-inputs',
    });
  });
});

describe('solutions', () => {
  it('are the last block of the asked-for kind', () => {
    expect(solve('deduction', respond('```output\n1\n```\n```output\n2\n```'))).toMatchObject({
      formatOk: true,
      answer: '2',
    });
    expect(solve('deduction', 'no tags at all')).toMatchObject({ formatOk: false, answer: null });
    expect(solve('induction', respond('prose only')).answer).toBeNull();
  });

  it('and proposals are read without an exception, whatever the text', () => {
    const piece = fc.oneof(
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
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        for (const kind of ['deduction', 'abduction', 'induction'] as const) {
          codec.parseProposal(kind, completion(pieces.join('')), 'def f(x): return x');
          solve(kind, pieces.join(''));
        }
      }),
    );
    const long = `${'```python\n'.repeat(100_000)}${'"'.repeat(1_000_000)}`;
    expect(solve('induction', respond(long)).thought).toBe('I think.');
  });
});

describe('prompts', () => {
  const code = 'def f(x):\n    return x';
  const task: Task = {
    taskId: 't',
    kind: 'deduction',
    code,
    inputs: ['1', '2'],
    outputs: ['1', '2'],
    message: 'same',
  };

  it('are what they were', () => {
    const prompts = {
      'propose deduction': codec.proposePrompt('deduction', [{ code, input: '1', output: '1' }], null),
      'propose abduction': codec.proposePrompt('abduction', [], null),
      'propose induction': codec.proposePrompt('induction', [], code),
      'solve deduction': codec.solvePrompt('deduction', taskKinds.deduction.solve(task)),
      'solve abduction': codec.solvePrompt('abduction', taskKinds.abduction.solve(task)),
      'solve induction': codec.solvePrompt('induction', taskKinds.induction.solve(task)),
    };
    for (const [name, { text, tokens }] of Object.entries(prompts)) {
      expect(text).toMatchSnapshot(name);
      expect(tokenizer.decode(tokens)).toBe(text);
      expect(text?.endsWith('<think>')).toBe(true);
    }
  });

  it('hold programs with fences of their own without breaking', () => {
    const fenced = 'def f(x):\n    return """\n```\n"""';
    const { text } = codec.solvePrompt('deduction', {
      code: fenced,
      input: '1',
      givenPairs: [],
      hiddenPairs: [],
    });
    expect(parseFences(text ?? '').some(({ content }) => content === fenced)).toBe(true);
  });
});
