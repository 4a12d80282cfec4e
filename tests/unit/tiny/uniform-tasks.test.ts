import { describe, expect, it } from 'vitest';
import { isHeldOutText } from '../../../src/policy/tiny/generator.js';
import { parseList, parseProgram } from '../../../src/policy/tiny/operations.js';
import { uniformTasks } from '../../../src/policy/tiny/uniform-tasks.js';

describe('uniform tasks', () => {
  const tasks = uniformTasks(3, 2, () => 300, [1, 1, 1]);

  it('are as many of each kind as asked for, of the domain, and never held out', () => {
    for (const kind of ['deduction', 'abduction', 'induction'] as const) {
      const own = tasks.filter((task) => task.kind === kind);
      expect(own.map(({ index }) => index)).toEqual(Array.from({ length: 300 }, (_, i) => i));
      for (const { code, inputs } of own) {
        expect(parseProgram(code)).toBeDefined();
        expect(inputs).toHaveLength(kind === 'induction' ? 4 : 1);
        for (const input of inputs) {
          expect(parseList(input)).toBeDefined();
          expect(isHeldOutText(code, input)).toBe(false);
        }
      }
    }
  });

  it('have lengths by weight', () => {
    const counts = [0, 0, 0];
    for (const { code } of tasks) {
      const length = parseProgram(code)?.length ?? 0;
      counts[length - 1] = (counts[length - 1] ?? 0) + 1;
    }
    // 900 draws of probability 1/3: mean 300, deviation 14.
    for (const count of counts) expect(Math.abs(count - 300)).toBeLessThan(80);
    for (const { code } of uniformTasks(3, 2, () => 50, [0, 0, 1]))
      expect(parseProgram(code)).toHaveLength(3);
  });

  it('are functions of run, iteration and place alone', () => {
    expect(uniformTasks(3, 2, () => 300, [1, 1, 1])).toEqual(tasks);
    expect(uniformTasks(3, 2, () => 10, [1, 1, 1]).filter(({ kind }) => kind === 'abduction')).toEqual(
      tasks.filter(({ kind, index }) => kind === 'abduction' && index < 10),
    );
    expect(uniformTasks(3, 3, () => 300, [1, 1, 1])).not.toEqual(tasks);
    expect(uniformTasks(4, 2, () => 300, [1, 1, 1])).not.toEqual(tasks);
  });
});
