import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/config/errors.js';
import { readSeedFile, seedFileText, type SeedTask } from '../../../src/tasks/seed-files.js';
import { parseSeedRows } from '../../../src/tasks/seed-rows.js';

const pair: SeedTask = {
  code: 'import math\ndef f(x, y):\n    return math.gcd(x, y)',
  originalCode: 'def f(x, y):\n    return math.gcd(x, y)',
  imports: ['import math'],
  inputs: ['4, 6'],
  outputs: ['2'],
  message: null,
};
const problem: SeedTask = {
  ...{ code: 'def f(x):\n    return x', originalCode: 'def f(x):\n    return x', imports: [] },
  ...{ inputs: ["'a'", '{1: None}'], outputs: ["'a'", '{1: None}'], message: 'gives it back' },
};

describe('a written seed file', () => {
  it('has the published fields', () => {
    expect(JSON.parse(seedFileText('pairs', [pair]))).toEqual({
      ...{ snippet: pair.code, input: '4, 6', output: '2', imports: ['import math'] },
      ...{ original_snippet: pair.originalCode, composite_functions: [] },
      ...{ _input_type: 'tuple', _output_type: 'int' },
    });
    expect(JSON.parse(seedFileText('induction', [problem]))).toEqual({
      ...{ snippet: problem.code, inputs: problem.inputs, outputs: problem.outputs },
      ...{ message: 'gives it back', imports: [] },
      ...{ _input_types: ['str', 'dict'], _output_types: ['str', 'dict'] },
    });
  });

  it.each([
    ['pairs', [pair, { ...pair, inputs: ['1, 2'] }]],
    ['induction', [problem, { ...problem, message: null }]],
  ] as const)('of %s is read back as what was written', (kind, tasks) => {
    const text = seedFileText(kind, tasks);
    expect(readSeedFile('--seed', 'f', text, kind).rows.map(({ line }) => line)).toEqual([1, 2]);
    const { rows, broken } = parseSeedRows(text);
    expect(broken).toEqual([]);
    for (const [i, { code, inputs, outputs, imports, message }] of tasks.entries())
      expect(rows[i]).toMatchObject({ code, inputs, outputs, imports, message });
  });
});

describe('a seed file to start from', () => {
  const refused = (text: string, kind: 'pairs' | 'induction' = 'pairs'): string => {
    try {
      readSeedFile('--seed-io', 'f.jsonl', text, kind);
    } catch (error) {
      if (error instanceof UsageError) return error.message;
      throw error;
    }
    return 'accepted';
  };

  it('is refused with option, line and what is accepted', () => {
    const good = seedFileText('pairs', [pair]);
    expect(refused(good)).toBe('accepted');
    expect(refused(`${good}nonsense\n`)).toMatch(
      /^--seed-io is f\.jsonl; line 2: not JSON: .*Accepted are lines/,
    );
    expect(refused(`${good}{"snippet":"x","input":1,"output":""}\n`)).toMatch(/line 2: input: /);
    expect(refused(seedFileText('induction', [problem]))).toMatch(/line 1: it is an induction row/);
    expect(refused(good, 'induction')).toMatch(/line 1: it is a row with one input and output/);
    expect(refused('\n\n')).toMatch(/holds no row; accepted is at least one/);
    expect(refused('x\n'.repeat(9))).toMatch(/line 5: .*; and 4 more\./);
  });
});
