import { describe, expect, it } from 'vitest';
import { openEnvelope, type Envelope } from '../../../src/policy/text/envelope.js';

const FENCED = '```python\ndef f(x):\n    return "</answer>" + "<answer>" + x\n```';

describe('the answer wrapper, whose responses begin inside the thought', () => {
  it.each<[string, string, Envelope]>([
    ['the form asked for', 'T</think> <answer>A</answer>', { formatOk: true, thought: 'T', answer: 'A' }],
    [
      'blanks and lines around everything',
      '\n T \n</think>\n\n \t<answer>\r\nA\r\n</answer>\n',
      { formatOk: true, thought: 'T', answer: 'A' },
    ],
    [
      'a thought tag of its own',
      '<think>T</think><answer>A</answer>',
      { formatOk: true, thought: 'T', answer: 'A' },
    ],
    [
      'anything may follow',
      'T</think><answer>A</answer> and more',
      { formatOk: true, thought: 'T', answer: 'A' },
    ],
    ['no thought', '</think><answer>A</answer>', { formatOk: true, thought: '', answer: 'A' }],
    ['an empty answer', 'T</think><answer></answer>', { formatOk: true, thought: 'T', answer: '' }],
    [
      'text between thought and answer',
      'T</think> so: <answer>A</answer>',
      { formatOk: false, thought: 'T', answer: 'A' },
    ],
    [
      'no closing think tag',
      'T <answer>A</answer>',
      { formatOk: false, thought: 'T <answer>A</answer>', answer: 'A' },
    ],
    ['no closing answer tag', 'T</think><answer>A', { formatOk: false, thought: 'T', answer: 'A' }],
    ['no answer tag', 'T</think>A', { formatOk: false, thought: 'T', answer: null }],
    ['no tags', 'T', { formatOk: false, thought: 'T', answer: null }],
    ['nothing', '', { formatOk: false, thought: '', answer: null }],
    [
      'tags in other letters are none',
      'T</THINK><Answer>A</Answer>',
      { formatOk: false, thought: 'T</THINK><Answer>A</Answer>', answer: null },
    ],
    [
      'a thought that speaks of its tags',
      'close with </think> then <answer></think><answer>A</answer>',
      { formatOk: true, thought: 'close with </think> then <answer>', answer: 'A' },
    ],
    [
      'two answers: the last',
      'T</think><answer>A</answer><answer>B</answer>',
      { formatOk: true, thought: 'T', answer: 'B' },
    ],
    [
      'a second answer that is not finished: the last finished one',
      'T</think><answer>A</answer> again <answer>B',
      { formatOk: true, thought: 'T', answer: 'A' },
    ],
    [
      'an answer opened twice',
      'T</think><answer>A <answer>B</answer>',
      { formatOk: true, thought: 'T', answer: 'B' },
    ],
    [
      'a dialogue that goes on',
      'T</think><answer>A</answer>\nUser: next\nAssistant: <think>U</think>',
      { formatOk: true, thought: 'T', answer: 'A' },
    ],
    ['quotes stay', 'T</think><answer>"A"</answer>', { formatOk: true, thought: 'T', answer: '"A"' }],
    [
      "tags in a program's strings are text",
      `T</think>\n<answer>\n${FENCED}\n</answer>`,
      { formatOk: true, thought: 'T', answer: FENCED },
    ],
    [
      'the closing tag right after the closing fence',
      `T</think><answer>${FENCED}</answer>`,
      { formatOk: true, thought: 'T', answer: FENCED },
    ],
    [
      'a fence that is not closed does not hide the tag',
      'T</think><answer>\n```input\n5</answer>\n',
      { formatOk: true, thought: 'T', answer: '```input\n5' },
    ],
    [
      'nor one that is closed only later on',
      'T</think><answer>\n```input\n5\n</answer>\nUser:\n```\nx\n```\n',
      { formatOk: true, thought: 'T', answer: '```input\n5' },
    ],
    [
      'an open fence in the thought hides nothing',
      'T ```python\n</think>\n<answer>\n```output\n1\n```\n</answer>',
      { formatOk: true, thought: 'T ```python', answer: '```output\n1\n```' },
    ],
  ])('%s', (_name, response, expected) => {
    expect(openEnvelope('think', response)).toEqual(expected);
  });
});

describe('the boxed wrapper', () => {
  it.each<[string, string, Envelope]>([
    ['a box', 'so \\boxed{42}.', { formatOk: true, thought: null, answer: '42' }],
    [
      'the last of two, with braces inside',
      '\\boxed{1} \\boxed{ {"a": {1}} }',
      { formatOk: true, thought: null, answer: '{"a": {1}}' },
    ],
    [
      'braces of a fenced program do not count',
      '\\boxed{\n```python\nx = "}{{"\n```\n}',
      { formatOk: true, thought: null, answer: '```python\nx = "}{{"\n```' },
    ],
    ['a thought before it', '<think>T</think>\\boxed{1}', { formatOk: true, thought: 'T', answer: '1' }],
    [
      'a box in the thought is none',
      'T \\boxed{1}</think>2',
      { formatOk: false, thought: 'T \\boxed{1}', answer: null },
    ],
    ['not closed', '\\boxed{1', { formatOk: false, thought: null, answer: null }],
    ['none', '42', { formatOk: false, thought: null, answer: null }],
  ])('%s', (_name, response, expected) => {
    expect(openEnvelope('boxed', response)).toEqual(expected);
  });
});

describe('no wrapper', () => {
  it('takes the whole response, less a thought that is marked', () => {
    expect(openEnvelope('bare', ' A ')).toEqual({ formatOk: true, thought: null, answer: 'A' });
    expect(openEnvelope('bare', '<think>T</think>\nA')).toEqual({
      formatOk: true,
      thought: 'T',
      answer: 'A',
    });
    expect(openEnvelope('bare', 'T</think>A')).toEqual({ formatOk: true, thought: 'T', answer: 'A' });
  });
});
