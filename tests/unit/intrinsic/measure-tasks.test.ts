import { describe, expect, it } from 'vitest';
import { countTask, emptyTypeCounters } from '../../../src/buffer/type-counters.js';
import { intrinsicComponents, type IntrinsicSettings } from '../../../src/reward/intrinsic/components.js';
import { meanEditDistanceSteps } from '../../../src/reward/intrinsic/ast-edit-distance.js';
import { drained } from '../../../src/reward/intrinsic/sequence-matcher.js';
import {
  measureTasks,
  type MeasuredTask,
  type TaskMeasures,
} from '../../../src/reward/intrinsic/measure-tasks.js';
import { readSyntaxNode, type SyntaxNode } from '../../../src/reward/intrinsic/syntax-tree.js';

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

  it('look at the exception class of an error prediction, among such classes', async () => {
    const counters = emptyTypeCounters();
    for (const name of ['ValueError', 'ValueError', 'NoError'])
      countTask(counters, { kind: 'error', inputs: ['1'], outputs: [name] });
    // The text occurs among outputs too, which say nothing about exception classes.
    countTask(counters, { kind: 'deduction', inputs: ['1'], outputs: ['NoError'] });
    const ask = (rule: 'flat' | 'hierarchical', outputs: string[]): Promise<readonly TaskMeasures[]> =>
      measureTasks(
        [task({ kind: 'error', outputs })],
        counters,
        { answer_diversity: { ...on, rule } },
        asking().treesOf,
      );
    expect((await ask('flat', ['NoError']))[0]?.measures[0]?.raw).toBe(1 - 1 / 3);
    // Every class has the type `error`: no surprise of type, that of the value by half.
    expect((await ask('hierarchical', ['ValueError']))[0]?.measures[0]?.raw).toBe((1 - 2 / 3) / 2);
  });

  it('hold the trees of some programs at once, and are the same whatever the groups', async () => {
    const long = (name: string): string => `def f(x):\n    return '${name.repeat(300_000)}'`;
    const tasks = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      task({ proposalId: name, code: long(name), references: ['shown'] }),
    );
    const { asked, treesOf } = asking();
    const found = await measureTasks(tasks, emptyTypeCounters(), { mean_edit_distance: on }, treesOf);
    expect(asked.map((codes) => codes.map((code) => code.length))).toEqual([
      [300_023, 5, 300_023, 300_023, 300_023],
      [300_023, 5],
    ]);
    expect(found.map(({ proposalId }) => proposalId)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('leave the event loop free while long programs are compared', async () => {
    const names = (from: number): SyntaxNode =>
      readSyntaxNode({
        _: 'Module',
        body: Array.from({ length: 700 }, (_, i) => ({
          _: 'Expr',
          value: { _: 'Name', id: `v${(from * (i + 1)) ** 2}` },
        })),
      });
    const trees = new Map([
      ['program', names(3)],
      ['reference', names(7)],
    ]);
    let turns = 0;
    let turning = true;
    const turn = (): void => {
      turns++;
      if (turning) setImmediate(turn);
    };
    setImmediate(turn);
    const [measured] = await measureTasks(
      [task({ code: 'program', references: ['reference', 'missing'] })],
      emptyTypeCounters(),
      { mean_edit_distance: on },
      (codes) => Promise.resolve(codes.map((code) => trees.get(code))),
    );
    turning = false;
    expect(measured?.measures[0]?.raw).toBe(drained(meanEditDistanceSteps(names(3), [names(7)])));
    expect(turns).toBeGreaterThan(3);
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
