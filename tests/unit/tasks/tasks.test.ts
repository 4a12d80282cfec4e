import { describe, expect, it } from 'vitest';
import { taskKinds } from '../../../src/tasks/index.js';
import { parseSeedRows } from '../../../src/tasks/seed-rows.js';
import type { Outcome } from '../../../src/sandbox/port.js';
import type { Score } from '../../../src/tasks/score.js';
import { TASK_KINDS, type Task } from '../../../src/tasks/types.js';

const pair: Task = {
  taskId: 't',
  kind: 'deduction',
  code: 'CODE',
  inputs: ['1, 2'],
  outputs: ['3'],
  message: null,
};
const pairs: Task = {
  taskId: 't',
  kind: 'induction',
  code: 'CODE',
  inputs: ['1', '2', '3', '4', '5'],
  outputs: ['1', '4', '9', '16', '25'],
  message: 'squares',
};

describe('what a solver sees', () => {
  it('never holds what it is asked for', () => {
    expect(taskKinds.deduction.solve(pair)).toEqual({
      code: 'CODE',
      input: '1, 2',
      givenPairs: [],
      hiddenPairs: [],
    });
    expect(taskKinds.abduction.solve(pair)).toEqual({
      code: 'CODE',
      output: '3',
      givenPairs: [],
      hiddenPairs: [],
    });
    const view = taskKinds.induction.solve(pairs);
    expect(view.code).toBeUndefined();
    expect(view.message).toBe('squares');
    expect(view.givenPairs).toEqual([
      { input: '1', output: '1' },
      { input: '2', output: '4' },
    ]);
    expect(view.hiddenPairs).toHaveLength(3);
  });

  it('induction is judged on the hidden pairs alone', () => {
    expect(taskKinds.induction.verify.question(pairs, 'ANSWER').pairs?.map((p) => p.input)).toEqual([
      '3',
      '4',
      '5',
    ]);
  });
});

describe('a proposer', () => {
  const draws = (program: string | undefined) => ({ references: () => ['a', 'b'], program: () => program });

  it('of a kind that writes programs is shown references, and no program is drawn', () => {
    for (const kind of TASK_KINDS.filter((name) => name !== 'induction'))
      expect(taskKinds[kind].propose({ ...draws('p'), program: refuse })).toEqual({
        references: ['a', 'b'],
        program: null,
      });
  });

  it('of induction is given a program, without which it proposes nothing', () => {
    const { propose } = taskKinds.induction;
    expect(propose({ ...draws('p'), references: refuse })).toEqual({ references: [], program: 'p' });
    expect(propose(draws(undefined))).toBeUndefined();
  });
});

const refuse = (): never => {
  throw new Error('not asked for');
};

describe('the output of a proposed task', () => {
  const value = (text: string): Outcome => ({ kind: 'value', text });
  const raised: Outcome = { kind: 'raised', error: 'KeyError', message: 'k' };

  it('is a literal other than None', () => {
    for (const kind of ['deduction', 'abduction', 'induction'] as const) {
      const { gold, bansErrorKeywords } = taskKinds[kind].validate;
      expect(bansErrorKeywords).toBe(false);
      expect(gold(value('[1]'))).toBe('[1]');
      expect(gold(value('None'))).toMatchObject({ reason: 'none-output' });
      expect(gold(raised)).toEqual({ reason: 'raised', detail: 'KeyError: k' });
      expect(gold({ kind: 'nan' })).toMatchObject({ reason: 'nan' });
    }
  });

  it('of error prediction is the class, or that there is none', () => {
    const { gold, bansErrorKeywords } = taskKinds.error.validate;
    expect(bansErrorKeywords).toBe(true);
    expect(gold(raised)).toBe('KeyError');
    for (const outcome of [value('None'), { kind: 'nan' }, { kind: 'not-literal', type: 'A' }] as const)
      expect(gold(outcome)).toBe('NoError');
    for (const error of ['noerror', 'A b', '\\xe9'])
      expect(gold({ kind: 'raised', error, message: '' })).toMatchObject({ reason: 'error-name' });
  });

  it('is none where the program came to no end, whatever the kind', () => {
    for (const kind of TASK_KINDS) {
      for (const outcome of ['timeout', 'memory', 'too-large', 'nondeterministic', 'no-result'] as const)
        expect(taskKinds[kind].validate.gold({ kind: outcome })).toMatchObject({ reason: outcome });
      expect(taskKinds[kind].validate.gold({ kind: 'killed', signal: 9 })).toEqual({
        reason: 'killed',
        detail: 'signal 9',
      });
    }
  });
});

describe('an answer', () => {
  const value = (text: string): Outcome => ({ kind: 'value', text });
  const ask = { code: 'CODE', answer: 'ANSWER' } as const;

  it('of deduction is compared by value, and nothing is run or evaluated', () => {
    const { run, score } = taskKinds.deduction.verify;
    const held = (output: string, answer: string): Score =>
      score({ ...ask, kind: 'deduction', output, answer }, []);
    expect(run({ ...ask, kind: 'deduction' })).toBeUndefined();
    expect(held('[1, 2]', '[1,2.0]')).toEqual({ accuracy: 1, correct: true, reason: 'correct' });
    expect(held("'2'", "'1+1'").reason).toBe('wrong');
    expect(held('1', '__import__("unittest.mock").mock.ANY').reason).toBe('not-literal');
    expect(held('1', 'f(1)').reason).toBe('not-literal');
    expect(held('nan', 'nan')).toEqual({ accuracy: 0, correct: false, reason: 'gold-not-literal' });
    expect(held('1', 'nan').reason).toBe('wrong');
    expect(held('1', '').reason).toBe('not-literal');
  });

  it('of abduction is what the program is run on: any input with an equal output is right', () => {
    const { run, score } = taskKinds.abduction.verify;
    const item = { ...ask, kind: 'abduction', output: '1' } as const;
    expect(run(item)).toEqual({ code: 'CODE', inputs: ['ANSWER'] });
    expect(score(item, [value('True')]).correct).toBe(true);
    expect(score(item, [value('2')]).reason).toBe('wrong');
    expect(score(item, [{ kind: 'timeout' }]).reason).toBe('timeout');
    expect(score(item, [{ kind: 'not-literal', type: 'A' }]).reason).toBe('not-literal-output');
    expect(score({ ...item, output: 'nan' }, [value('1')]).reason).toBe('gold-not-literal');
    for (const outcomes of [[], [value('1'), value('1')]])
      expect(() => score(item, outcomes)).toThrow(/outcomes; accepted is that of the answer/);
  });

  it('of induction is run on the hidden inputs: the share of right pairs, right only where all are', () => {
    const { run, score } = taskKinds.induction.verify;
    const item = (...outputs: string[]) => ({
      ...ask,
      kind: 'induction' as const,
      pairs: outputs.map((output, i) => ({ input: String(i), output })),
    });
    const raised = { kind: 'raised', error: 'Exception', message: '' } as const;
    expect(run(item('1', '2'))).toEqual({ code: 'ANSWER', inputs: ['0', '1'] });
    expect(score(item('1', '2'), [value('1'), value('2')])).toEqual({
      accuracy: 1,
      correct: true,
      reason: 'correct',
    });
    expect(score(item('1', '2', '3', '4', '5'), [raised, raised, value('3'), raised, raised])).toEqual({
      accuracy: 0.2,
      correct: false,
      reason: 'raised',
    });
    expect(() => score(item(), [])).toThrow(/0 pairs and 0 outcomes/);
    expect(() => score(item('1', '2'), [raised])).toThrow(/2 pairs and 1 outcomes/);
  });
});

describe('seed rows', () => {
  it('reads both schemas, puts missing imports first, and reports broken lines by number', () => {
    const text = [
      JSON.stringify({
        snippet: 'def f(a):\n  return sqrt(a)',
        input: '4',
        output: '2.0',
        imports: ['from math import sqrt'],
      }),
      '{"snippet": ',
      JSON.stringify({
        snippet: 'import re\ndef f(a): return a',
        inputs: ['1', '2'],
        outputs: ['1', '2'],
        message: 'm',
        imports: ['import re'],
      }),
      JSON.stringify({ snippet: 'def f(a): return a', inputs: ['1', '2'], outputs: ['1'] }),
      JSON.stringify({ input: '1', output: '1' }),
      '',
    ].join('\n');
    const { rows, broken } = parseSeedRows(text);
    expect(rows.map((row) => [row.line, row.kind])).toEqual([
      [1, 'deduction'],
      [3, 'induction'],
    ]);
    expect(rows[0]?.code).toBe('from math import sqrt\ndef f(a):\n  return sqrt(a)');
    expect(rows[1]?.code).toBe('import re\ndef f(a): return a');
    expect(broken.map((b) => b.line)).toEqual([2, 4, 5]);
    expect(broken[1]?.error).toContain('inputs and outputs differ in number');
    expect(broken[2]?.error).toContain('snippet');
  });
});
