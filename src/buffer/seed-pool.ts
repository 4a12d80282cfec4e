/**
 * The buffer as seeding sees it: one pool of pairs, whichever kind's proposer wrote them, each (program, input) once.
 *
 * The published seeding draws the references of both proposers from one buffer of pairs and refuses whole rows that it
 * holds. A row later serves deduction and abduction alike, so rows that differ in their proposer only are the same row.
 */
import type { TaskKind } from '../tasks/types.js';
import {
  acceptTask,
  contentKey,
  emptyBuffer,
  type BufferPolicy,
  type RepeatPolicy,
  type TaskBuffer,
} from './task-buffer.js';

/** Nothing leaves a pool. */
const KEEP_ALL: BufferPolicy = {
  maxTasks: Number.POSITIVE_INFINITY,
  keep: 'newest',
  validProgramFilter: 'all',
  induction: 'binary',
};

/** The kind under which the pool counts a task. */
export function seedKind(kind: TaskKind): TaskKind {
  return kind === 'abduction' ? 'deduction' : kind;
}

/** A new buffer, whose tasks of deduction and of abduction are the same list; `buffer` stays as it is. */
export function seedPool(buffer: TaskBuffer): TaskBuffer {
  const pool = emptyBuffer();
  const known = new Set<string>();
  const all = [...buffer.byId.values()].sort((a, b) => a.iteration - b.iteration);
  for (const task of all) {
    const row = { ...task, kind: seedKind(task.kind) };
    const key = contentKey(row);
    if (known.has(key)) continue;
    known.add(key);
    acceptTask(pool, row, KEEP_ALL);
  }
  return { ...pool, tasks: { ...pool.tasks, abduction: pool.tasks.deduction } };
}

/** A row that the pool has is refused, whatever self-play's rule for duplicates. */
export function seedRepeats(policy: RepeatPolicy): RepeatPolicy {
  return { ...policy, duplicates: 'refuse' };
}
