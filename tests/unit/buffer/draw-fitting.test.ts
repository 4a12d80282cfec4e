import { describe, expect, it } from 'vitest';
import { drawFitting } from '../../../src/buffer/draw-fitting.js';
import { drawSolverTasks } from '../../../src/buffer/sampling.js';
import { acceptTask, emptyBuffer, type TaskBuffer } from '../../../src/buffer/task-buffer.js';
import { Random } from '../../../src/random.js';

const filled = (): TaskBuffer => {
  const buffer = emptyBuffer();
  const policy = { maxTasks: 100, keep: 'newest', validProgramFilter: 'all', induction: 'binary' } as const;
  for (let i = 0; i < 30; i++)
    acceptTask(
      buffer,
      {
        taskId: String(i),
        kind: 'deduction',
        code: 'x',
        originalCode: 'x',
        inputs: [],
        outputs: [],
        message: null,
        iteration: i,
      },
      policy,
    );
  return buffer;
};
const randomOf = (attempt: number): Random => new Random(attempt + 1);
const drawn = (buffer: TaskBuffer, count: number, fits: (id: number) => boolean): number[] =>
  drawFitting(
    buffer,
    ['deduction'],
    (left, random) => drawSolverTasks(left, 'deduction', count, 'uniform_total', 0, random),
    ({ taskId }) => fits(Number(taskId)),
    randomOf,
  ).map(({ taskId }) => Number(taskId));

describe('draws of tasks that fit', () => {
  it('are the plain draw where all fit', () => {
    const plain = drawSolverTasks(filled(), 'deduction', 8, 'uniform_total', 0, randomOf(0));
    expect(drawn(filled(), 8, () => true)).toEqual(plain.map(({ taskId }) => Number(taskId)));
  });

  it('are whole as long as enough tasks fit, and leave the buffer as it is', () => {
    const buffer = filled();
    const even = drawn(buffer, 10, (id) => id % 2 === 0);
    expect(new Set(even).size).toBe(10);
    expect(even.every((id) => id % 2 === 0)).toBe(true);
    expect(drawn(buffer, 20, (id) => id === 7)).toEqual([7]);
    expect(buffer.tasks.deduction).toHaveLength(30);
  });

  it('end where none fits', () => {
    expect(drawn(filled(), 5, () => false)).toEqual([]);
    expect(drawn(emptyBuffer(), 5, () => true)).toEqual([]);
  });
});
