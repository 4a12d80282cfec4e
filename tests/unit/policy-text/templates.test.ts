/** Each of the eight prompts, whole, and what the ones of error prediction and composite programs have besides. */
import { describe, expect, it } from 'vitest';
import { createTextCodec, type TextCodecOptions } from '../../../src/policy/text/codec.js';
import { WRAPPERS } from '../../../src/policy/text/envelope.js';
import { parseFences } from '../../../src/policy/text/fences.js';
import { withEntryRenamed } from '../../../src/policy/text/program.js';
import { taskKinds } from '../../../src/tasks/index.js';
import { TASK_KINDS, type Task, type TaskKind } from '../../../src/tasks/types.js';
import { characterTokenizer } from './character-tokenizer.js';

const codecWith = (options: Partial<TextCodecOptions> = {}) =>
  createTextCodec({
    tokenizer: characterTokenizer,
    wrapper: 'bare',
    maxResponseTokens: 100,
    bannedImports: ['random', 'time'],
    timeLimitSeconds: 10,
    inductionInputs: 3,
    ...options,
  });
const CODE = 'def f(x):\n    return x[0]';
const task = (kind: TaskKind): Task => ({
  taskId: 't',
  kind,
  code: CODE,
  inputs: ["'ab'", "'cd'"],
  outputs: kind === 'error' ? ['NoError'] : ["'a'", "'c'"],
  message: 'It takes the first.',
});
const reference = (kind: TaskKind) => ({
  code: 'def f(x):\n    return x[7]',
  input: "'ab'",
  output: kind === 'error' ? 'IndexError' : "'b'",
});
const proposeText = (kind: TaskKind, codec = codecWith(), functions: readonly string[] = []): string =>
  codec.proposePrompt(kind, [reference(kind)], CODE, functions).text ?? '';
const solveText = (kind: TaskKind, codec = codecWith()): string =>
  codec.solvePrompt(kind, taskKinds[kind].solve(task(kind))).text ?? '';
const headings = (text: string): string[] =>
  text.split('\n').flatMap((line) => (/^#{2,3} /.test(line) ? [line.replace(/^#+ /, '')] : []));

describe('the prompt of', () => {
  it.each(TASK_KINDS)('proposing %s is what it was', (kind) => expect(proposeText(kind)).toMatchSnapshot());
  it.each(TASK_KINDS)('solving %s is what it was', (kind) => expect(solveText(kind)).toMatchSnapshot());

  it('every kind and role fills all its slots, in every wrapper', () => {
    for (const wrapper of WRAPPERS)
      for (const kind of TASK_KINDS)
        for (const text of [
          proposeText(kind, codecWith({ wrapper })),
          solveText(kind, codecWith({ wrapper })),
        ])
          expect(text).not.toMatch(/\{\{|\}\}|undefined/);
  });

  it('a proposal has its sections in order', () => {
    for (const kind of ['deduction', 'abduction', 'error'] as const)
      expect(headings(proposeText(kind)).slice(1)).toEqual([
        'Purpose',
        'Requirements on the program',
        'Requirements on the input',
        'Form of the answer',
        'Example of the form',
        'What a proposal is judged by',
        'Plan first',
        'Reference programs',
      ]);
    expect(headings(proposeText('induction')).slice(1)).toEqual([
      'Purpose',
      'Requirements on the inputs',
      'Requirements on the message',
      'Form of the answer',
      'Example of the form',
      'What a proposal is judged by',
      'Plan first',
      'The program',
    ]);
  });
});

describe('error prediction', () => {
  it('shows the class of each reference in a block of its own', () => {
    const blocks = parseFences(proposeText('error')).map(({ tag, content }) => [tag, content]);
    expect(blocks).toContainEqual(['error', 'IndexError']);
    expect(blocks.map(([tag]) => tag)).not.toContain('output');
  });

  it('lists banned keywords where there are any, and for no other kind', () => {
    const banning = codecWith({ bannedErrorKeywords: ['raise', 'assert'] });
    expect(proposeText('error', banning)).toContain('none of these keywords: raise, assert.');
    expect(proposeText('deduction', banning)).toBe(proposeText('deduction'));
    expect(proposeText('error')).not.toContain('keywords');
  });

  it('hides the class from the solver', () => {
    const hidden = { ...task('error'), outputs: ['SecretError'] };
    const { text } = codecWith().solvePrompt('error', taskKinds.error.solve(hidden));
    expect(text).not.toContain('SecretError');
    expect(text).toContain('NoError');
  });

  it('reads the answer from its block, and the proposal like any pair', () => {
    const solved = codecWith().parseSolution('error', {
      tokens: characterTokenizer.encode('It is short.\n```output\nIndexError\n```'),
      finish: 'end',
    });
    expect(solved).toEqual({ formatOk: true, thought: null, answer: 'IndexError' });
    const proposed = codecWith().parseProposal(
      'error',
      {
        tokens: characterTokenizer.encode(
          '```input\n[]\n```\n```python\ndef first(x):\n    return x[0]\n```',
        ),
        finish: 'end',
      },
      null,
    );
    expect(proposed).toMatchObject({
      ok: true,
      formatOk: true,
      code: 'def f(x):\n    return x[0]',
      inputs: ['[]'],
    });
  });
});

describe('given functions', () => {
  const functions = ['def f(x):\n    return x + 1', 'def f(y):\n    return f(y[1:]) if y else 0'].map(
    (code, k) => withEntryRenamed(code, `g_${k}`),
  );

  it('stand in blocks of their own, after the references, with what is asked of them', () => {
    const text = proposeText('deduction', codecWith(), functions);
    expect(headings(text).at(-1)).toBe('Given functions');
    expect(text.startsWith(proposeText('deduction'))).toBe(true);
    expect(text.slice(proposeText('deduction').length)).toMatchSnapshot();
  });

  it('make a prompt longer, so that references may have to go', () => {
    const limit = codecWith().proposePrompt('deduction', [], null, functions).tokens.length;
    const bounded = codecWith({ maxPromptTokens: limit });
    expect(
      bounded.proposePrompt('deduction', [reference('deduction')], null, functions).shownReferences,
    ).toEqual([]);
  });
});
