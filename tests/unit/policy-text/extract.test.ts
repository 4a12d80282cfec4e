import { describe, expect, it } from 'vitest';
import { readAnswer } from '../../../src/policy/text/extract.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { ProposalText, SolutionText, TaskKind } from '../../../src/tasks/types.js';

const pairOf = (answer: string): ProposalText => taskKinds.deduction.parse.proposal(readAnswer(answer, 10));
const inductionOf = (answer: string, count: number): ProposalText =>
  taskKinds.induction.parse.proposal(readAnswer(answer, count));
const solutionOf = (kind: TaskKind, answer: string): SolutionText =>
  taskKinds[kind].parse.solution(readAnswer(answer, 10));
const PROGRAM = '```python\ndef f(x):\n    return x\n```';
const CODE = 'def f(x):\n    return x';
const input = (text: string): string => `\`\`\`input\n${text}\n\`\`\``;

describe('a proposed program and its input', () => {
  it.each<[string, string, { code: string; input: string; wellFormed: boolean }]>([
    ['in order', `${PROGRAM}\n${input('1')}`, { code: CODE, input: '1', wellFormed: true }],
    ['the input first', `${input('1')}\n${PROGRAM}`, { code: CODE, input: '1', wellFormed: true }],
    [
      'other blocks before, between and after',
      `\`\`\`text\nplan\n\`\`\`\n${PROGRAM}\n\`\`\`output\n9\n\`\`\`\n${input('1')}\n\`\`\`\nend\n\`\`\``,
      { code: CODE, input: '1', wellFormed: true },
    ],
    [
      'the first of several programs and inputs',
      `${PROGRAM}\n${input('1')}\n\`\`\`python\nx\n\`\`\`\n${input('2')}`,
      { code: CODE, input: '1', wellFormed: true },
    ],
    [
      'a block with the tag before one without, whatever the order',
      `\`\`\`\nsketch\n\`\`\`\n${PROGRAM}\n${input('1')}`,
      { code: CODE, input: '1', wellFormed: true },
    ],
    [
      'a block without a tag, where none says python',
      `\`\`\`\n${CODE}\n\`\`\`\n${input('1')}`,
      { code: CODE, input: '1', wellFormed: false },
    ],
    [
      'tags in capitals',
      `\`\`\`Python\n${CODE}\n\`\`\`\n\`\`\`INPUT\n1\n\`\`\``,
      { code: CODE, input: '1', wellFormed: true },
    ],
    [
      'no last closing fence',
      `${PROGRAM}\n\`\`\`input\n1, 'a'\n`,
      { code: CODE, input: "1, 'a'", wellFormed: false },
    ],
    [
      'CRLF',
      `${PROGRAM}\n${input('1')}`.replaceAll('\n', '\r\n'),
      { code: CODE, input: '1', wellFormed: true },
    ],
    [
      'a fence within a string, in a longer fence',
      '````python\ndef f(x):\n    return """\n```input\n7\n```\n"""\n````\n```input\n1\n```',
      { code: 'def f(x):\n    return """\n```input\n7\n```\n"""', input: '1', wellFormed: true },
    ],
    [
      'an input of several lines',
      `${PROGRAM}\n${input('[1,\n 2]')}`,
      { code: CODE, input: '[1,\n 2]', wellFormed: true },
    ],
    ['a marker', `${PROGRAM}\n# Input: 1, 2`, { code: CODE, input: '1, 2', wellFormed: false }],
    [
      'a marker in the program, up to the fence',
      `\`\`\`python\n${CODE}\n# input:\n1\n\`\`\`\nwords`,
      { code: `${CODE}\n# input:\n1`, input: '1', wellFormed: false },
    ],
    [
      'blank lines around the program',
      `\`\`\`python\n\n  \n${CODE}\n\n\`\`\`\n${input('1')}`,
      { code: CODE, input: '1', wellFormed: true },
    ],
  ])('%s', (_name, answer, { input, ...expected }) => {
    const proposal = { ok: true, ...expected, inputs: [input], message: null };
    expect(pairOf(answer)).toEqual(proposal);
    for (const kind of ['abduction', 'error'] as const)
      expect(taskKinds[kind].parse.proposal(readAnswer(answer, 10))).toEqual(proposal);
  });

  it.each([
    ['no-program', '', 'no python block among no blocks at all'],
    ['no-program', input('1'), 'no python block among 1 blocks: input'],
    ['no-program', `\`\`\`json\n{}\n\`\`\`\n${input('1')}`, 'no python block among 2 blocks: json, input'],
    ['no-input', PROGRAM, 'no text in an input block among 1 blocks: python'],
    ['no-input', `${PROGRAM}\n${input('  ')}`, 'no text in an input block among 2 blocks: python, input'],
  ])('is refused as %s: %j', (reason, answer, detail) => {
    expect(pairOf(answer)).toEqual({ ok: false, reason, detail });
  });
});

describe('an induction proposal', () => {
  const message = '```message\nIt adds.\n```';

  it('gives its last different inputs, in order, and the first message', () => {
    const answer = `${['1', '2', '2', ' 3 ', '4'].map(input).join('\n')}\n${message}\n\`\`\`message\nno\n\`\`\``;
    expect(inductionOf(answer, 3)).toEqual({
      ok: true,
      wellFormed: true,
      code: null,
      inputs: ['2', '3', '4'],
      message: 'It adds.',
    });
  });

  it('may number its inputs as the solver sees them numbered', () => {
    const answer = `\`\`\`input_0\n1\n\`\`\`\n\`\`\`input_12\n2\n\`\`\`\n\`\`\`input_x\n3\n\`\`\`\n${message}`;
    expect(inductionOf(answer, 2)).toMatchObject({ ok: true, inputs: ['1', '2'] });
  });

  it.each([
    ['in a tag', '<message>It adds.</message>'],
    ['behind a marker', '# Message: It adds.'],
  ])('may have its message %s', (_name, text) => {
    expect(inductionOf(`${input('1')}\n${text}`, 1)).toEqual({
      ok: true,
      wellFormed: false,
      code: null,
      inputs: ['1'],
      message: 'It adds.',
    });
  });

  it.each([
    [
      'too-few-inputs',
      `${input('1')}\n${input('1')}\n${message}`,
      '1 different inputs in 2 input blocks; needed are 2',
    ],
    ['too-few-inputs', message, '0 different inputs in 0 input blocks; needed are 2'],
    ['no-message', `${input('1')}\n${input('2')}`, 'no text in a message block among 2 blocks: input, input'],
  ])('is refused as %s', (reason, answer, detail) => {
    expect(inductionOf(answer, 2)).toEqual({ ok: false, reason, detail });
  });
});

describe("a solver's answer", () => {
  it.each<[TaskKind, string, string, string | null, boolean]>([
    ['deduction', 'the last block', '```output\n1\n```\n```output\n[2]\n```', '[2]', true],
    [
      'deduction',
      'a block of another tag is not it',
      '```input\n9\n```\n```output\n1\n```\n```python\nx\n```',
      '1',
      true,
    ],
    ['deduction', 'a block that is not closed', '```output\n1\n', '1', false],
    ['deduction', 'several lines', '```output\n{1:\n  2}\n```', '{1:\n  2}', true],
    ['deduction', 'an empty block is no answer', '```output\n\n```', null, true],
    ['deduction', 'a marker', 'so\n# Output: 3', '3', false],
    ['deduction', 'a call', 'It is output([1, ")"]) then', '[1, ")"]', false],
    ['deduction', 'a tag', 'It is <output> 3 </output>', '3', false],
    ['deduction', 'a statement', 'Hence the output is: `[1]`.', '[1]', false],
    ['deduction', 'a block without a tag', 'words\n```\n[1]\n```', '[1]', false],
    ['deduction', 'the bare text', ' [1, 2] ', '[1, 2]', false],
    ['deduction', 'nothing', '  ', null, false],
    ['error', 'the last block', '```output\nValueError\n```\n```output\nKeyError\n```', 'KeyError', true],
    ['abduction', 'the last block', '```input\n1\n```\n```input\n2, 3\n```', '2, 3', true],
    ['abduction', 'a call', 'Try input(f(1), (2))', 'f(1), (2)', false],
    ['abduction', 'a call that is not closed', 'input((1', 'input((1', false],
    ['abduction', 'an output block is not it', '```output\n1\n```\nThe input is 5', '5', false],
    [
      'induction',
      'the last program',
      `${PROGRAM}\n\`\`\`python\ndef f(y): return y\n\`\`\``,
      'def f(y): return y',
      true,
    ],
    [
      'induction',
      'a python block before one without a tag',
      `${PROGRAM}\n\`\`\`\n>>> f(1)\n\`\`\``,
      CODE,
      true,
    ],
    ['induction', 'a block without a tag', `\`\`\`\n${CODE}\n\`\`\``, CODE, true],
    ['induction', 'a program in no block is none', CODE, null, false],
    ['induction', 'an input block is none', '```input\n1\n```', null, false],
    ['induction', 'an empty block is none', '```python\n\n```', null, false],
  ])('%s: %s', (kind, _name, answer, expected, wellFormed) => {
    expect(solutionOf(kind, answer)).toEqual({ wellFormed, answer: expected });
  });
});
