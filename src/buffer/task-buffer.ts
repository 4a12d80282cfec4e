/**
 * The task buffer as a fold: `evolve` over TaskAccepted and SolutionVerified gives the state, from the log alone, at any
 * offset. Nothing else writes it.
 *
 * Kept per kind: the newest `maxTasks` tasks (the published code keeps the oldest and so stops learning of new tasks
 * once full). Kept per task: attempts and successes of its solvers, for mixing by solve rate.
 */
import { TASK_KINDS, type Task, type TaskKind } from '../tasks/types.js';

export interface BufferedTask extends Task {
  /** The iteration in which it was accepted; 0 for seeds. */
  readonly iteration: number;
}

export interface SolveRecord {
  attempts: number;
  correct: number;
}

export interface BufferPolicy {
  readonly maxTasks: number;
}

export interface TaskBuffer {
  readonly tasks: Record<TaskKind, BufferedTask[]>;
  readonly byId: Map<string, BufferedTask>;
  readonly solved: Map<string, SolveRecord>;
  /** kind + program -> tasks in the buffer */
  readonly perProgram: Map<string, number>;
  /** kind + program + inputs: the identity of a task for the duplicate policy */
  readonly contents: Map<string, number>;
}

export function emptyBuffer(): TaskBuffer {
  const tasks = Object.fromEntries(TASK_KINDS.map((kind) => [kind, [] as BufferedTask[]])) as Record<
    TaskKind,
    BufferedTask[]
  >;
  return { tasks, byId: new Map(), solved: new Map(), perProgram: new Map(), contents: new Map() };
}

/** Adds a task in place; a task that is known already changes nothing. */
export function acceptTask(buffer: TaskBuffer, task: BufferedTask, policy: BufferPolicy): void {
  if (buffer.byId.has(task.taskId)) return;
  const list = buffer.tasks[task.kind];
  list.push(task);
  buffer.byId.set(task.taskId, task);
  change(buffer.perProgram, programKey(task), 1);
  change(buffer.contents, contentKey(task), 1);
  // byId keeps what left the buffer: verdicts on it may still come.
  if (list.length > policy.maxTasks) {
    const oldest = list.shift();
    if (oldest !== undefined) {
      change(buffer.perProgram, programKey(oldest), -1);
      change(buffer.contents, contentKey(oldest), -1);
    }
  }
}

export function recordAttempts(buffer: TaskBuffer, taskId: string, attempts: number, correct: number): void {
  const record = buffer.solved.get(taskId) ?? { attempts: 0, correct: 0 };
  record.attempts += attempts;
  record.correct += correct;
  buffer.solved.set(taskId, record);
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
