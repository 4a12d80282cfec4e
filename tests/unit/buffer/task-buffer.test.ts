import { describe, expect, it } from 'vitest';
import { drawReferences, drawSolverTasks } from '../../../src/buffer/sampling.js';
import {
  acceptTask,
  emptyBuffer,
  recordVerdict,
  repeatReason,
  type BufferedTask,
  type BufferPolicy,
  type TaskBuffer,
} from '../../../src/buffer/task-buffer.js';
import { seedOf } from '../../../src/coordinates.js';
import { Random } from '../../../src/random.js';

const task = (id: string, over: Partial<BufferedTask> = {}): BufferedTask => ({
  taskId: id,
  kind: 'deduction',
  code: 'def f(x):\n    return x',
  originalCode: 'def f(x):\n    return x',
  inputs: [`[${id}]`],
  outputs: [`[${id}]`],
  message: null,
  iteration: 1,
  ...over,
});

const policyOf = (over: Partial<BufferPolicy> = {}): BufferPolicy => ({
  maxTasks: 1000,
  keep: 'newest',
  validProgramFilter: 'all',
  induction: 'binary',
  ...over,
});

/** A verdict on a group of a task: accuracies, 1 being right. */
const judge = (
  buffer: TaskBuffer,
  taskId: string,
  accuracies: readonly number[],
  policy = policyOf(),
  purpose: 'learnability' | 'solve' = 'learnability',
): void =>
  recordVerdict(
    buffer,
    {
      groupId: `${taskId} ${purpose}`,
      taskId,
      purpose,
      attempts: accuracies.map((accuracy) => ({ correct: accuracy === 1, accuracy })),
    },
    policy,
  );
const idsOf = (buffer: TaskBuffer): string[] => buffer.tasks.deduction.map((t) => t.taskId);

describe('the task buffer', () => {
  it('takes each task once and keeps the newest', () => {
    const buffer = emptyBuffer();
    for (const id of ['1', '2', '2', '3']) acceptTask(buffer, task(id), policyOf({ maxTasks: 2 }));
    expect(buffer.tasks.deduction.map((t) => t.taskId)).toEqual(['2', '3']);
    expect(buffer.byId.has('1')).toBe(true);
    expect(
      repeatReason(buffer, [], task('1'), { duplicates: 'refuse', maxTasksPerProgram: 0 }),
    ).toBeUndefined();
  });

  it('refuses repeats by content and by program, within a batch too', () => {
    const buffer = emptyBuffer();
    acceptTask(buffer, task('1'), policyOf());
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

describe('what is kept of too many', () => {
  const filled = (keep: BufferPolicy['keep'], ids: readonly number[], maxTasks: number): string[] => {
    const buffer = emptyBuffer();
    for (const id of ids) acceptTask(buffer, task(String(id)), policyOf({ keep, maxTasks }));
    return idsOf(buffer);
  };
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

  it('are the oldest as published: nothing new enters a full buffer', () => {
    expect(filled('oldest', upTo(5), 3)).toEqual(['0', '1', '2']);
  });

  it('is a sample of all that came, whatever their order, that grows with what may be kept', () => {
    const kept = filled('reservoir', upTo(200), 20);
    const byPriority = upTo(200)
      .map(String)
      .sort((a, b) => seedOf('reservoir', a) - seedOf('reservoir', b));
    expect([...kept].sort()).toEqual(byPriority.slice(0, 20).sort());
    expect(new Set(filled('reservoir', upTo(200).reverse(), 20))).toEqual(new Set(kept));
    expect(new Set(filled('reservoir', upTo(200), 40))).toEqual(
      new Set([...kept, ...filled('reservoir', upTo(200), 40)]),
    );
    // Each half of the ids is as likely: 300 draws of 1/2, deviation below 9.
    let early = 0;
    for (let run = 0; run < 15; run++)
      early += filled(
        'reservoir',
        upTo(200).map((i) => 1000 * (run + 1) + i),
        20,
      ).filter((id) => Number(id) % 1000 < 100).length;
    expect(Math.abs(early - 150)).toBeLessThan(45);
  });

  it('forgets the repeats of what left', () => {
    const buffer = emptyBuffer();
    for (const id of ['1', '2']) acceptTask(buffer, task(id), policyOf({ keep: 'oldest', maxTasks: 1 }));
    const refuse = { duplicates: 'refuse', maxTasksPerProgram: 0 } as const;
    expect(repeatReason(buffer, [], task('1'), refuse)).toBe('duplicate');
    expect(repeatReason(buffer, [], task('2'), refuse)).toBeUndefined();
  });
});

describe('the filter of valid programs', () => {
  it.each([
    ['all', ['none', 'some', 'every']],
    ['non_one', ['none', 'some']],
    ['non_extremes', ['some']],
  ] as const)('%s', (validProgramFilter, expected) => {
    const policy = policyOf({ validProgramFilter });
    const buffer = emptyBuffer();
    for (const id of ['none', 'some', 'every']) acceptTask(buffer, task(id), policy);
    judge(buffer, 'none', [0, 0], policy);
    judge(buffer, 'some', [0, 1], policy);
    judge(buffer, 'every', [1, 1], policy);
    // What solvers do later is no reason.
    judge(buffer, 'some', [1, 1], policy, 'solve');
    expect(idsOf(buffer)).toEqual(expected);
    expect(buffer.byId.size).toBe(3);
    expect(buffer.solved.get('some')).toEqual({ attempts: 4, correct: 3 });
  });

  it('sees an induction attempt as its reward does', () => {
    for (const [induction, left] of [
      ['binary', 0],
      ['accuracy', 1],
    ] as const) {
      const policy = policyOf({ validProgramFilter: 'non_extremes', induction });
      const buffer = emptyBuffer();
      acceptTask(buffer, task('1', { kind: 'induction' }), policy);
      judge(buffer, '1', [0.5, 0.5], policy);
      expect(buffer.tasks.induction, induction).toHaveLength(left);
    }
  });
});

describe('draws from the buffer', () => {
  const filled = () => {
    const buffer = emptyBuffer();
    for (let i = 0; i < 100; i++)
      acceptTask(buffer, task(String(i), { iteration: i < 90 ? 1 : 2 }), policyOf());
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

  it('half_new takes new tasks for half of them at most', () => {
    const fresh = (count: number): number[] =>
      Array.from({ length: 30 }, (_, seed) => {
        const drawn = drawSolverTasks(filled(), 'deduction', count, 'half_new', 2, new Random(seed));
        expect(new Set(drawn.map((t) => t.taskId)).size).toBe(count);
        expect(drawn.slice(0, Math.min(10, count / 2)).every((t) => t.iteration === 2)).toBe(true);
        return drawn.slice(count / 2).filter((t) => t.iteration === 2).length;
      });
    // Half of 8 are new; 6 new ones of 96 are left for the other 4.
    expect(Math.max(...fresh(8))).toBeLessThanOrEqual(4);
    expect(fresh(8).reduce((sum, n) => sum + n, 0)).toBeLessThan(30);
    // All 10 new ones stand in the first half: none is left for the second.
    expect(fresh(40).every((n) => n === 0)).toBe(true);
  });

  it('step draws with replacement by iteration, and uniformly among seeds alone', () => {
    const buffer = emptyBuffer();
    for (const iteration of [0, 1, 3]) acceptTask(buffer, task(String(iteration), { iteration }), policyOf());
    const drawn = drawSolverTasks(buffer, 'deduction', 4000, 'step', 3, new Random(1)).map((t) => t.taskId);
    const times = (id: string): number => drawn.filter((other) => other === id).length;
    expect([times('0'), drawn.length]).toEqual([0, 4000]);
    // Probability 1/4, deviation 27.
    expect(Math.abs(times('1') - 1000)).toBeLessThan(140);
    const seeds = emptyBuffer();
    for (const id of ['a', 'b']) acceptTask(seeds, task(id, { iteration: 0 }), policyOf());
    const both = drawSolverTasks(seeds, 'deduction', 100, 'step', 1, new Random(1));
    expect(both.filter((t) => t.taskId === 'a').length).toBeGreaterThan(20);
    expect(both.filter((t) => t.taskId === 'b').length).toBeGreaterThan(20);
    expect(drawSolverTasks(emptyBuffer(), 'deduction', 5, 'step', 1, new Random(1))).toEqual([]);
  });

  it('solve_rate prefers tasks that are neither solved nor hopeless', () => {
    const buffer = filled();
    for (let i = 0; i < 100; i++)
      judge(buffer, String(i), [1, 1, 1, 1, ...(i < 50 ? [1, 1, 1, 1] : [0, 0, 0, 0])]);
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
