/**
 * Draws from the buffer: references and functions for proposers, programs for induction proposers, tasks for solvers.
 * All are functions of the buffer's state and a seeded generator.
 */
import { cumulative, type Random } from '../random.js';
import type { TaskKind } from '../tasks/types.js';
import type { BufferedTask, TaskBuffer } from './task-buffer.js';

export type ReferenceSampling = 'uniform' | 'step';
export const SOLVER_MIXINGS = ['max_new', 'uniform_total', 'half_new', 'step', 'solve_rate'] as const;
export type SolverMixing = (typeof SOLVER_MIXINGS)[number];

/** Up to `count` distinct tasks of the kind; `step` weighs a task by iteration + 1. */
export function drawReferences(
  buffer: TaskBuffer,
  kind: TaskKind,
  count: number,
  sampling: ReferenceSampling,
  random: Random,
): BufferedTask[] {
  const tasks = buffer.tasks[kind];
  if (sampling === 'uniform' || count >= tasks.length) return random.sample(tasks, count);
  return weightedSample(
    tasks,
    tasks.map((task) => task.iteration + 1),
    count,
    random,
  );
}

/** Whose tasks' programs proposers write inputs for. */
export const PROGRAM_KINDS: readonly TaskKind[] = ['deduction', 'abduction'];

/** A program of a deduction or abduction task, for which the proposer writes inputs; undefined while there is none. */
export function drawProgramTask(
  buffer: TaskBuffer,
  sampling: ReferenceSampling,
  random: Random,
): BufferedTask | undefined {
  const tasks = PROGRAM_KINDS.flatMap((kind) => buffer.tasks[kind]);
  if (tasks.length === 0) return undefined;
  if (sampling === 'uniform') return tasks[random.below(tasks.length)];
  return weightedSample(
    tasks,
    tasks.map((task) => task.iteration + 1),
    1,
    random,
  )[0];
}

/**
 * Tasks of the kind for the solver, `count` of them, or fewer where the buffer has fewer. With new tasks those of
 * iteration `newest`:
 *
 *   max_new        new tasks first, the rest uniform over the others
 *   half_new       at most half of `count` new, the rest uniform over the others
 *   uniform_total  uniform over all
 *   step           with replacement, weight = the task's iteration; uniform while all are of iteration 0
 *   solve_rate     weight r(1-r) + 0.02 with r = correct/attempts (0.25 where there was no attempt), so that tasks neither
 *                  solved nor hopeless come most often; not in the paper
 *
 * Deviations from the published code: but for `step` no task comes twice (there the uniform rest may repeat new ones, and
 * a short batch is filled up with repeats); `step` with nothing but seeds is an error there.
 */
export function drawSolverTasks(
  buffer: TaskBuffer,
  kind: TaskKind,
  count: number,
  mixing: SolverMixing,
  newest: number,
  random: Random,
): BufferedTask[] {
  const tasks = buffer.tasks[kind];
  switch (mixing) {
    case 'uniform_total':
      return random.sample(tasks, count);
    case 'max_new':
      return newestFirst(tasks, count, count, newest, random);
    case 'half_new':
      return newestFirst(tasks, count, Math.floor(count / 2), newest, random);
    case 'step':
      return drawByStep(tasks, count, random);
    case 'solve_rate':
      return weightedSample(
        tasks,
        tasks.map((task) => {
          const record = buffer.solved.get(task.taskId);
          const r = record === undefined || record.attempts === 0 ? 0.25 : record.correct / record.attempts;
          return r * (1 - r) + 0.02;
        }),
        count,
        random,
      );
  }
}

/** At most `bound` tasks of iteration `newest`, the rest uniform over those not taken. */
function newestFirst(
  tasks: readonly BufferedTask[],
  count: number,
  bound: number,
  newest: number,
  random: Random,
): BufferedTask[] {
  const fresh = random.sample(
    tasks.filter((task) => task.iteration === newest),
    bound,
  );
  const chosen = new Set(fresh);
  const rest = tasks.filter((task) => !chosen.has(task));
  return [...fresh, ...random.sample(rest, count - fresh.length)];
}

function drawByStep(tasks: readonly BufferedTask[], count: number, random: Random): BufferedTask[] {
  if (tasks.length === 0) return [];
  const onlySeeds = tasks.every(({ iteration }) => iteration === 0);
  const totals = cumulative(tasks.map(({ iteration }) => (onlySeeds ? 1 : iteration)));
  return Array.from({ length: count }, () => tasks[random.weighted(totals)] as BufferedTask);
}

/**
 * Weighted sampling without replacement (Efraimidis and Spirakis 2006): the `count` largest keys u^(1/w), here as
 * -log(u)/w in ascending order.
 */
function weightedSample<T>(
  items: readonly T[],
  weights: readonly number[],
  count: number,
  random: Random,
): T[] {
  return items
    .map((item, i) => ({ item, key: -Math.log(1 - random.uniform()) / (weights[i] ?? 0) }))
    .sort((a, b) => a.key - b.key)
    .slice(0, count)
    .map(({ item }) => item);
}
