import { describe, expect, it } from 'vitest';
import { countTask, emptyTypeCounters } from '../../../src/buffer/type-counters.js';
import { intrinsicComponents, type IntrinsicSettings } from '../../../src/reward/intrinsic/components.js';
import { measureTasks, type MeasuredTask } from '../../../src/reward/intrinsic/measure-tasks.js';

const on = { enabled: true, coefficient: 0.5, cap: 0.3 };
const task = (over: Partial<MeasuredTask> = {}): MeasuredTask => ({
  proposalId: 'p',
  taskId: 't',
  kind: 'deduction',
  code: 'def f(x):\n    return x',
  inputs: ['1'],
  outputs: ['2'],
  references: [],
  ...over,
});

/** Answers nothing that parses, and keeps what it was asked for. */
function asking(): {
  asked: (readonly string[])[];
  treesOf: (codes: readonly string[]) => Promise<undefined[]>;
} {
  const asked: (readonly string[])[] = [];
  return {
    asked,
    treesOf: (codes) => {
      asked.push(codes);
      return Promise.resolve(codes.map(() => undefined));
    },
  };
}

describe('measures of accepted proposals', () => {
  it('are not taken where no term of the kind is enabled, and nothing is parsed', async () => {
    const { asked, treesOf } = asking();
    const settings: IntrinsicSettings = { f_input_answer_diversity: on };
    expect(await measureTasks([task()], emptyTypeCounters(), settings, treesOf)).toEqual([]);
    expect(await measureTasks([task({ kind: 'induction' })], emptyTypeCounters(), settings, treesOf)).toEqual(
      [
        {
          proposalId: 'p',
          taskId: 't',
          kind: 'induction',
          measures: [{ name: 'f_input_answer_diversity', raw: 1 }],
        },
      ],
    );
    expect(asked).toEqual([]);
  });

  it('ask for references only where the edit distance is enabled, and for each program once', async () => {
    const tasks = [task({ references: ['a', 'b'] }), task({ proposalId: 'q', references: ['b', 'a'] })];
    const without = asking();
    await measureTasks(tasks, emptyTypeCounters(), { complexity: on }, without.treesOf);
    expect(without.asked).toEqual([[task().code]]);
    const with_ = asking();
    await measureTasks(tasks, emptyTypeCounters(), { mean_edit_distance: on }, with_.treesOf);
    expect(with_.asked).toEqual([[task().code, 'a', 'b']]);
  });

  it('look at the input of an abduction and at the output of a deduction', async () => {
    const counters = emptyTypeCounters();
    for (const output of ['2', '2', '3'])
      countTask(counters, { kind: 'deduction', inputs: ['1'], outputs: [output] });
    const { treesOf } = asking();
    const measured = await measureTasks(
      [task(), task({ kind: 'abduction' })],
      counters,
      { answer_diversity: on },
      treesOf,
    );
    expect(measured.map(({ measures }) => measures[0]?.raw)).toEqual([1 - 2 / 3, 0]);
  });
});

describe('weighing', () => {
  it('bounds coefficient times raw by the cap', () => {
    const settings: IntrinsicSettings = { complexity: on, halstead: { ...on, cap: 0.5 } };
    const measures = [
      { name: 'halstead', raw: 0.9 },
      { name: 'complexity', raw: 0.9 },
      { name: 'answer_diversity', raw: 1 },
    ];
    expect(
      intrinsicComponents('abduction', measures, settings).map(({ name, value }) => [name, value]),
    ).toEqual([
      ['complexity', 0.3],
      ['halstead', 0.45],
    ]);
  });

  it('does not make up what was not measured', () => {
    expect(() => intrinsicComponents('abduction', [], { halstead: on })).toThrow(
      'halstead is enabled and was not measured',
    );
  });
});
