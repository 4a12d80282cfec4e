/**
 * Draws from the buffer: references for proposers, programs for induction proposers, tasks for solvers.
 * All are functions of the buffer's state and a seeded generator (azr-spec, section 3).
 */
import type { Random } from '../random.js';
import type { TaskKind } from '../tasks/types.js';
import type { BufferedTask, TaskBuffer } from './task-buffer.js';

export type ReferenceSampling = 'uniform' | 'step';
export type SolverMixing = 'max_new' | 'uniform_total' | 'solve_rate';

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

/** A program of a deduction or abduction task, for which the proposer writes inputs; undefined while there is none. */
export function drawProgramTask(
  buffer: TaskBuffer,
  sampling: ReferenceSampling,
  random: Random,
): BufferedTask | undefined {
  const tasks = [...buffer.tasks.deduction, ...buffer.tasks.abduction];
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
 * Up to `count` distinct tasks of the kind for the solver.
 *
 * `max_new`: tasks of `iteration` first, the rest uniform from all. `uniform_total`: uniform. `solve_rate`: weight
 * r(1-r) + 0.02 with r = correct/attempts (0.25 where there was no attempt), so that tasks neither solved nor hopeless
 * come most often; not in the paper.
 */
export function drawSolverTasks(
  buffer: TaskBuffer,
  kind: TaskKind,
  count: number,
  mixing: SolverMixing,
  iteration: number,
  random: Random,
): BufferedTask[] {
  const tasks = buffer.tasks[kind];
  switch (mixing) {
    case 'uniform_total':
      return random.sample(tasks, count);
    case 'max_new': {
      const fresh = random.sample(
        tasks.filter((task) => task.iteration === iteration),
        count,
      );
      const chosen = new Set(fresh);
      const rest = tasks.filter((task) => !chosen.has(task));
      return [...fresh, ...random.sample(rest, count - fresh.length)];
    }
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
