/**
 * The task buffer as a fold over TaskAccepted and SolutionVerified (buffer-facts.ts): its state at any offset comes from
 * the log alone. Nothing else writes it.
 *
 * Kept per kind: at most `maxTasks` tasks (keep.ts says which), less those that the filter refuses. Kept per task:
 * attempts and successes of its solvers, for mixing by solve rate. Counted: values by type (type-counters.ts).
 */
import { meanAccuracy, type InductionRule } from '../reward/induction-accuracy.js';
import { TASK_KINDS, type Task, type TaskKind } from '../tasks/types.js';
import { leavingPlace, type KeepPolicy } from './keep.js';
import { countTask, emptyTypeCounters, type TypeCounters } from './type-counters.js';
import { passesFilter, type ValidProgramFilter } from './valid-program-filter.js';

export interface BufferedTask extends Task {
  /** The program as its proposer wrote it. */
  readonly originalCode: string;
  /** The iteration in which it was accepted; 0 for seeds. */
  readonly iteration: number;
  /** Tasks whose programs its own calls (tasks/composite.ts); absent where it calls none. */
  readonly compositeTaskIds?: readonly string[];
}

export interface SolveRecord {
  attempts: number;
  correct: number;
}

export interface BufferPolicy {
  /** Of one kind. */
  readonly maxTasks: number;
  readonly keep: KeepPolicy;
  readonly validProgramFilter: ValidProgramFilter;
  /** What the accuracy of an induction attempt is, which the filter looks at. */
  readonly induction: InductionRule;
}

/** What the buffer takes from a group's verdict. */
export interface BufferVerdict {
  readonly groupId: string;
  readonly taskId: string;
  readonly purpose: 'learnability' | 'solve';
  readonly attempts: readonly { readonly correct: boolean; readonly accuracy: number }[];
}

export interface TaskBuffer {
  readonly tasks: Record<TaskKind, BufferedTask[]>;
  /** What left the buffer too: verdicts on it may still come. */
  readonly byId: Map<string, BufferedTask>;
  readonly solved: Map<string, SolveRecord>;
  /** kind + program -> tasks in the buffer */
  readonly perProgram: Map<string, number>;
  /** kind + program + inputs: the identity of a task for the duplicate policy */
  readonly contents: Map<string, number>;
  readonly types: TypeCounters;
  /** Groups whose verdict was counted. */
  readonly judged: Set<string>;
}

export function emptyBuffer(): TaskBuffer {
  const tasks = Object.fromEntries(TASK_KINDS.map((kind) => [kind, [] as BufferedTask[]])) as Record<
    TaskKind,
    BufferedTask[]
  >;
  return {
    tasks,
    byId: new Map(),
    solved: new Map(),
    perProgram: new Map(),
    contents: new Map(),
    types: emptyTypeCounters(),
    judged: new Set(),
  };
}

/** Adds a task in place; a task that is known already changes nothing. */
export function acceptTask(buffer: TaskBuffer, task: BufferedTask, policy: BufferPolicy): void {
  if (buffer.byId.has(task.taskId)) return;
  const list = buffer.tasks[task.kind];
  list.push(task);
  buffer.byId.set(task.taskId, task);
  change(buffer.perProgram, programKey(task), 1);
  change(buffer.contents, contentKey(task), 1);
  countTask(buffer.types, task);
  if (list.length > policy.maxTasks) remove(buffer, task.kind, leavingPlace(list, policy.keep));
}

/** Counts a group's attempts in place, once; after a proposal's rollouts the filter has its say. */
export function recordVerdict(buffer: TaskBuffer, verdict: BufferVerdict, policy: BufferPolicy): void {
  const { groupId, taskId, purpose, attempts } = verdict;
  if (buffer.judged.has(groupId)) return;
  buffer.judged.add(groupId);
  const record = buffer.solved.get(taskId) ?? { attempts: 0, correct: 0 };
  record.attempts += attempts.length;
  record.correct += attempts.filter(({ correct }) => correct).length;
  buffer.solved.set(taskId, record);

  const task = buffer.byId.get(taskId);
  if (purpose !== 'learnability' || task === undefined || policy.validProgramFilter === 'all') return;
  if (passesFilter(meanAccuracy(task.kind, attempts, policy.induction), policy.validProgramFilter)) return;
  const place = buffer.tasks[task.kind].indexOf(task);
  if (place >= 0) remove(buffer, task.kind, place);
}

function remove(buffer: TaskBuffer, kind: TaskKind, place: number): void {
  const [gone] = buffer.tasks[kind].splice(place, 1);
  if (gone === undefined) return;
  change(buffer.perProgram, programKey(gone), -1);
  change(buffer.contents, contentKey(gone), -1);
}

type TaskContent = Pick<Task, 'kind' | 'code' | 'inputs'>;

export const programKey = (task: Pick<Task, 'kind' | 'code'>): string =>
  JSON.stringify([task.kind, task.code]);
export const contentKey = (task: TaskContent): string => JSON.stringify([task.kind, task.code, task.inputs]);

export interface RepeatPolicy {
  readonly duplicates: 'allow' | 'refuse';
  /** 0 is no bound. */
  readonly maxTasksPerProgram: number;
}

/**
 * Why the buffer refuses a task; undefined where it does not. `alsoAccepted` are tasks accepted earlier in the same
 * batch, which the buffer does not hold yet.
 */
export function repeatReason(
  buffer: TaskBuffer,
  alsoAccepted: readonly TaskContent[],
  task: TaskContent,
  policy: RepeatPolicy,
): 'duplicate' | 'program-cap' | undefined {
  if (policy.duplicates === 'refuse') {
    const key = contentKey(task);
    if ((buffer.contents.get(key) ?? 0) > 0 || alsoAccepted.some((other) => contentKey(other) === key))
      return 'duplicate';
  }
  if (policy.maxTasksPerProgram > 0) {
    const key = programKey(task);
    const known = buffer.perProgram.get(key) ?? 0;
    const now = alsoAccepted.filter((other) => programKey(other) === key).length;
    if (known + now >= policy.maxTasksPerProgram) return 'program-cap';
  }
  return undefined;
}

function change(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
