import { describe, expect, it } from 'vitest';
import { drawFunctions } from '../../../src/buffer/draw-functions.js';
import type { BufferedTask } from '../../../src/buffer/task-buffer.js';
import * as reader from '../../../src/policy/text/program.js';
import { Random } from '../../../src/random.js';

const task = (taskId: string, code: string, over: Partial<BufferedTask> = {}): BufferedTask => ({
  taskId,
  kind: 'deduction',
  code,
  originalCode: code,
  inputs: ['1'],
  outputs: ['1'],
  message: null,
  iteration: 1,
  ...over,
});
const plain = (taskId: string): BufferedTask => task(taskId, `def f(x):\n    return x + ${taskId}`);
const always = { chance: 1, minFunctions: 1, maxFunctions: 2 };

describe('given functions', () => {
  it('are references under new names, and no longer references', () => {
    const references = [plain('1'), plain('2'), plain('3')];
    const numbers = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const drawn = drawFunctions(references, always, new Random(seed), reader);
      numbers.add(drawn.functions.length);
      drawn.functions.forEach(({ taskId, definition }, k) =>
        expect(definition).toBe(`def g_${k}(x):\n    return x + ${taskId}`),
      );
      const ids = [...drawn.functions, ...drawn.references].map(({ taskId }) => taskId);
      expect(ids.sort()).toEqual(['1', '2', '3']);
    }
    expect([...numbers].sort()).toEqual([1, 2]);
  });

  it('come with the chance that is asked for', () => {
    const references = [plain('1'), plain('2'), plain('3')];
    let drawn = 0;
    for (let seed = 0; seed < 2000; seed++)
      drawn +=
        drawFunctions(references, { ...always, chance: 0.3 }, new Random(seed), reader).functions.length > 0
          ? 1
          : 0;
    expect(drawn).toBeGreaterThan(500);
    expect(drawn).toBeLessThan(700);
    expect(drawFunctions(references, { ...always, chance: 0 }, new Random(1), reader)).toEqual({
      functions: [],
      references,
    });
  });

  it('need more references than the most functions', () => {
    const references = [plain('1'), plain('2')];
    expect(drawFunctions(references, always, new Random(1), reader).functions).toEqual([]);
  });

  it('are never composite themselves, nor of a program that uses their names', () => {
    const references = [
      task('1', 'def f(x):\n    return x', { compositeTaskIds: ['9'] }),
      task('2', 'def g_0(x):\n    return x\ndef f(x):\n    return g_0(x)'),
      plain('3'),
    ];
    const one = { chance: 1, minFunctions: 1, maxFunctions: 1 };
    for (let seed = 0; seed < 30; seed++)
      expect(drawFunctions(references, one, new Random(seed), reader).functions[0]?.taskId).toBe('3');
    const two = { chance: 1, minFunctions: 2, maxFunctions: 2 };
    expect(drawFunctions(references, two, new Random(1), reader).functions).toEqual([]);
  });

  it('do not bind one name to different things; the same import goes together', () => {
    const classes = ['1', '2', '3'].map((id) =>
      task(id, `class Node:\n    v = ${id}\ndef f(x):\n    return Node.v`),
    );
    const two = { chance: 1, minFunctions: 2, maxFunctions: 2 };
    expect(drawFunctions(classes, two, new Random(1), reader).functions).toEqual([]);
    const imports = ['1', '2', '3'].map((id) =>
      task(id, `from math import floor\ndef f(x):\n    return floor(x) + ${id}`),
    );
    expect(drawFunctions(imports, two, new Random(1), reader).functions).toHaveLength(2);
  });
});

describe('a renamed entry', () => {
  it.each([
    [
      'def f(n):\n    return 1 if n < 2 else n * f(n - 1)',
      'def g_0(n):\n    return 1 if n < 2 else n * g_0(n - 1)',
    ],
    ['def f(x):\n    s = "f(x)"\n    return x.f(f=1)', 'def g_0(x):\n    s = "f(x)"\n    return x.f(f=1)'],
    ['def run(x):\n    return x\n\nf = run\n', 'def run(x):\n    return x\n\ng_0 = run\n'],
  ])('%j reads %j', (source, expected) => {
    expect(reader.withEntryRenamed(source, 'g_0')).toBe(expected);
  });
});

describe('names at the top level', () => {
  it.each<[string, [string, string][]]>([
    [
      'def f(x):\n    y = 1\nclass A:\n    b = 2',
      [
        ['f', ''],
        ['A', ''],
      ],
    ],
    ['async def h(): pass', [['h', '']]],
    [
      'import math\nimport a.b as c',
      [
        ['math', 'import math'],
        ['c', 'import a.b as c'],
      ],
    ],
    ['import a.b', [['a', 'import a.b']]],
    [
      'from m import (x, y as z)',
      [
        ['x', 'from m import x, y as z'],
        ['z', 'from m import x, y as z'],
      ],
    ],
    [
      'a = b = 1\nc, d = 2, 3\ne: int = 4',
      [
        ['a', ''],
        ['b', ''],
        ['c', ''],
        ['d', ''],
        ['e', ''],
        ['int', ''],
      ],
    ],
    ['print(a == 1)\nf(x=1)', []],
  ])('of %j', (source, names) => {
    expect([...reader.topLevelNames(source)]).toEqual(names);
  });
});
