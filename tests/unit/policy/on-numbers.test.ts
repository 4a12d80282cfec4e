/** Arithmetic of sizes without a device, and which values a plan lets go of. */
import { describe, expect, it } from 'vitest';
import { onNumbers } from '../../../src/policy/engine/eager/on-numbers.js';
import { letGo, planOf } from '../../../src/policy/engine/eager/plan.js';
import type { Numbers } from '../../../src/policy/engine/eager/value.js';
import { Graph } from '../../../src/policy/engine/graph.js';
import { Operations } from '../../../src/policy/engine/operations.js';

const ints = (...data: number[]): Numbers => ({ dtype: 'int32', shape: [data.length], data });
const int = (value: number): Numbers => ({ dtype: 'int32', shape: [], data: [value] });
const ask = (op: string, ...inputs: (Numbers | undefined)[]) => onNumbers(op, inputs, () => undefined);

describe('sizes', () => {
  it('are computed as TensorFlow does', () => {
    expect(ask('FloorDiv', int(-7), int(2))?.data).toEqual([-4]);
    expect(ask('Mul', ints(2, 3), int(4))).toEqual(ints(8, 12));
    expect(ask('Sub', int(1), ints(2, 3))).toEqual(ints(-1, -2));
    expect(ask('Less', int(1), int(2))).toEqual({ dtype: 'bool', shape: [], data: [1] });
    expect(ask('Slice', ints(5, 6, 7), ints(1), ints(-1))).toEqual(ints(6, 7));
    expect(ask('Reshape', ints(5), { ...ints(), shape: [0] })).toEqual(int(5));
    expect(ask('Reshape', ints(1, 2, 3, 4), ints(-1, 2))?.shape).toEqual([2, 2]);
    expect(ask('Pack', int(1), int(2))).toEqual(ints(1, 2));
  });

  it('are left to the device where it knows, or where they are floats or many', () => {
    expect(ask('AddV2', int(1), undefined)).toBeUndefined();
    expect(ask('AddV2', { ...int(1), dtype: 'float32' }, { ...int(1), dtype: 'float32' })).toBeUndefined();
    expect(ask('AddV2', ints(1, 2), ints(1, 2, 3))).toBeUndefined();
    expect(ask('AddV2', ints(...new Array<number>(65).fill(1)), int(1))).toBeUndefined();
    expect(ask('MatMul', int(1), int(1))).toBeUndefined();
  });
});

describe('a plan', () => {
  it('lets go of each value after its last use, and of no output', () => {
    const graph = new Graph();
    const o = new Operations(graph);
    const x = graph.placeholder('float');
    const a = o.exp(x);
    const b = o.mul(a, a);
    const c = o.identity(b);
    const d = o.add(c, x);
    const plan = planOf(graph, [d.name]);
    expect(plan.of(c.name)).toBe(b.name);
    letGo(plan.steps, new Set([plan.of(d.name)]));
    expect(plan.steps.map(({ lets }) => lets)).toEqual([[], [a.name], [b.name]]);
  });
});
