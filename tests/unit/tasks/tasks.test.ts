import { describe, expect, it } from 'vitest';
import { taskKinds } from '../../../src/tasks/index.js';
import { parseSeedRows } from '../../../src/tasks/seed-rows.js';
import type { Task } from '../../../src/tasks/types.js';

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
    expect(taskKinds.deduction.solverView(pair)).toEqual({
      code: 'CODE',
      input: '1, 2',
      givenPairs: [],
      hiddenPairs: [],
    });
    expect(taskKinds.abduction.solverView(pair)).toEqual({
      code: 'CODE',
      output: '3',
      givenPairs: [],
      hiddenPairs: [],
    });
    const view = taskKinds.induction.solverView(pairs);
    expect(view.code).toBeUndefined();
    expect(view.message).toBe('squares');
    expect(view.givenPairs).toEqual([
      { input: '1', output: '1' },
      { input: '2', output: '4' },
    ]);
    expect(view.hiddenPairs).toHaveLength(3);
  });

  it('induction is judged on the hidden pairs alone', () => {
    expect(taskKinds.induction.judgeInput(pairs, 'ANSWER').pairs?.map((p) => p.input)).toEqual([
      '3',
      '4',
      '5',
    ]);
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
