import { describe, expect, it } from 'vitest';
import { seedKind, seedPool, seedRepeats } from '../../../src/buffer/seed-pool.js';
import {
  acceptTask,
  emptyBuffer,
  repeatReason,
  type BufferedTask,
  type BufferPolicy,
} from '../../../src/buffer/task-buffer.js';
import type { TaskKind } from '../../../src/tasks/types.js';

const policy: BufferPolicy = {
  maxTasks: 100,
  keep: 'newest',
  validProgramFilter: 'all',
  induction: 'binary',
};
const task = (taskId: string, kind: TaskKind, iteration: number, input: string): BufferedTask => ({
  ...{ taskId, kind, iteration, code: 'CODE', originalCode: 'CODE' },
  ...{ inputs: [input], outputs: ['0'], message: null },
});

describe('the pool of seeding', () => {
  const buffer = emptyBuffer();
  for (const one of [
    task('b', 'deduction', 2, '1'),
    task('a', 'abduction', 1, '1'),
    task('c', 'abduction', 2, '2'),
    task('i', 'induction', 3, '1'),
  ])
    acceptTask(buffer, one, policy);
  const before = structuredClone(buffer.tasks);
  const pool = seedPool(buffer);

  it('has each pair once, the earliest, for the proposers of both kinds', () => {
    expect(pool.tasks.deduction.map(({ taskId }) => taskId)).toEqual(['a', 'c']);
    expect(pool.tasks.abduction).toBe(pool.tasks.deduction);
    expect(pool.tasks.induction.map(({ taskId }) => taskId)).toEqual(['i']);
  });

  it('is a buffer of its own', () => {
    expect(buffer.tasks).toEqual(before);
  });

  it('refuses a row that it has, whichever kind proposed it, and keeps the bound by program', () => {
    const repeats = seedRepeats({ duplicates: 'allow', maxTasksPerProgram: 3 });
    const reason = (kind: TaskKind, input: string, also: readonly string[] = []) =>
      repeatReason(
        pool,
        also.map((text) => ({ kind: seedKind('abduction'), code: 'CODE', inputs: [text] })),
        { kind: seedKind(kind), code: 'CODE', inputs: [input] },
        repeats,
      );
    expect(reason('abduction', '1')).toBe('duplicate');
    expect(reason('deduction', '2')).toBe('duplicate');
    expect(reason('deduction', '3', ['3'])).toBe('duplicate');
    expect(reason('deduction', '3')).toBeUndefined();
    expect(reason('deduction', '3', ['4'])).toBe('program-cap');
    expect(reason('induction', '2')).toBeUndefined();
  });
});
