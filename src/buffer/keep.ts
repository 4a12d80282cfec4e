/**
 * Which task of a kind leaves a buffer that holds too many.
 *
 *   newest     the oldest leaves
 *   oldest     the one that came last leaves: once full, nothing new enters (the published code)
 *   reservoir  a uniform sample without replacement of all tasks that ever came: each task has a priority, a hash of its
 *              id, and those of the lowest priorities stay (bottom-k sampling; Cohen and Kaplan 2007). The sample depends
 *              on which tasks came, not on their order, and ids come from coordinates: no state but the tasks is needed.
 */
import { seedOf } from '../coordinates.js';

export const KEEP_POLICIES = ['newest', 'oldest', 'reservoir'] as const;
export type KeepPolicy = (typeof KEEP_POLICIES)[number];

/** @param tasks in the order in which they came, at least one. @returns the place of the one that leaves. */
export function leavingPlace(tasks: readonly { readonly taskId: string }[], keep: KeepPolicy): number {
  switch (keep) {
    case 'newest':
      return 0;
    case 'oldest':
      return tasks.length - 1;
    case 'reservoir': {
      let [place, highest] = [0, -1];
      for (const [i, { taskId }] of tasks.entries()) {
        const priority = priorityOf(taskId);
        if (priority > highest) [place, highest] = [i, priority];
      }
      return place;
    }
  }
}

const priorities = new Map<string, number>();
/** Well above what a buffer of the default size asks for again and again. */
const REMEMBERED = 200_000;

/** Hashing every task anew for each that comes would cost most of a fold. */
function priorityOf(taskId: string): number {
  let priority = priorities.get(taskId);
  if (priority === undefined) {
    if (priorities.size >= REMEMBERED) priorities.clear();
    priorities.set(taskId, (priority = seedOf('reservoir', taskId)));
  }
  return priority;
}
