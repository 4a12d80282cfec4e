import { describe, expect, it } from 'vitest';
import { drawReferences, drawSolverTasks } from '../../../src/buffer/sampling.js';
import {
  acceptTask,
  emptyBuffer,
  recordAttempts,
  repeatReason,
  type BufferedTask,
} from '../../../src/buffer/task-buffer.js';
import { Random } from '../../../src/random.js';

const task = (id: string, over: Partial<BufferedTask> = {}): BufferedTask => ({
  taskId: id,
  kind: 'deduction',
  code: 'def f(x):\n    return x',
  inputs: [`[${id}]`],
  outputs: [`[${id}]`],
  message: null,
  iteration: 1,
  ...over,
});

describe('the task buffer', () => {
  it('takes each task once and keeps the newest', () => {
    const buffer = emptyBuffer();
    for (const id of ['1', '2', '2', '3']) acceptTask(buffer, task(id), { maxTasks: 2 });
    expect(buffer.tasks.deduction.map((t) => t.taskId)).toEqual(['2', '3']);
    expect(buffer.byId.has('1')).toBe(true);
    expect(
      repeatReason(buffer, [], task('1'), { duplicates: 'refuse', maxTasksPerProgram: 0 }),
    ).toBeUndefined();
  });

  it('refuses repeats by content and by program, within a batch too', () => {
    const buffer = emptyBuffer();
    acceptTask(buffer, task('1'), { maxTasks: 10 });
    const policy = { duplicates: 'refuse', maxTasksPerProgram: 2 } as const;
    expect(repeatReason(buffer, [], task('1'), policy)).toBe('duplicate');
    expect(repeatReason(buffer, [], task('2'), policy)).toBeUndefined();
    expect(repeatReason(buffer, [task('2')], task('2'), policy)).toBe('duplicate');
    expect(repeatReason(buffer, [task('2')], task('3'), policy)).toBe('program-cap');
    expect(repeatReason(buffer, [task('2')], task('3', { kind: 'abduction' }), policy)).toBeUndefined();
    expect(
      repeatReason(buffer, [task('2')], task('1'), { duplicates: 'allow', maxTasksPerProgram: 0 }),
    ).toBeUndefined();
  });
});

describe('draws from the buffer', () => {
  const filled = () => {
    const buffer = emptyBuffer();
    for (let i = 0; i < 100; i++)
      acceptTask(buffer, task(String(i), { iteration: i < 90 ? 1 : 2 }), { maxTasks: 1000 });
    return buffer;
  };

  it('are functions of the seed', () => {
    const ids = (seed: number): string[] =>
      drawReferences(filled(), 'deduction', 6, 'step', new Random(seed)).map((t) => t.taskId);
    expect(ids(5)).toEqual(ids(5));
    expect(ids(5)).not.toEqual(ids(6));
    expect(new Set(ids(5)).size).toBe(6);
  });

  it('max_new takes this iteration’s tasks first and fills up without repeats', () => {
    const drawn = drawSolverTasks(filled(), 'deduction', 20, 'max_new', 2, new Random(1));
    expect(drawn.slice(0, 10).every((t) => t.iteration === 2)).toBe(true);
    expect(new Set(drawn.map((t) => t.taskId)).size).toBe(20);
  });

  it('solve_rate prefers tasks that are neither solved nor hopeless', () => {
    const buffer = filled();
    for (let i = 0; i < 100; i++) recordAttempts(buffer, String(i), 8, i < 50 ? 8 : 4);
    let middling = 0;
    for (let seed = 0; seed < 50; seed++)
      middling += drawSolverTasks(buffer, 'deduction', 10, 'solve_rate', 3, new Random(seed)).filter(
        (t) => Number(t.taskId) >= 50,
      ).length;
    expect(middling).toBeGreaterThan(400);
  });

  it('gives what there is when less is there than asked for', () => {
    expect(drawSolverTasks(emptyBuffer(), 'induction', 5, 'solve_rate', 1, new Random(1))).toEqual([]);
    expect(drawReferences(filled(), 'deduction', 500, 'uniform', new Random(1))).toHaveLength(100);
  });
});
