/**
 * What the solvers of an iteration are asked: rollouts that estimate the learnability of its accepted tasks, and attempts
 * at tasks drawn from the buffer, this iteration's included (the paper's order) or not (the published one:
 * schedule.solverTasks). Pure: every draw is a function of its coordinates.
 */
import { idOf, seedOf } from '../coordinates.js';
import { drawFitting, generatorsOf } from '../buffer/draw-fitting.js';
import { drawSolverTasks } from '../buffer/sampling.js';
import type { TaskBuffer } from '../buffer/task-buffer.js';
import { batchOfKind } from '../config/batch-of-kind.js';
import type { RunConfig } from '../config/run.js';
import type { PolicyCodec, Prompt } from '../policy/codec.js';
import { taskKinds } from '../tasks/index.js';
import { TASK_KINDS, type SolverView, type Task } from '../tasks/types.js';
import type { Place } from '../../workflows/types.js';
import { unlessTooLong } from './unless-too-long.js';

/** Whether the solver draws from a buffer that has this iteration's tasks already. */
export function drawsOwnTasks({ schedule }: RunConfig): boolean {
  return schedule.solverTasks === 'this_iteration';
}

export type SolvePurpose = 'learnability' | 'solve';

export interface PlannedGroup {
  readonly groupId: string;
  readonly purpose: SolvePurpose;
  readonly index: number;
  readonly task: Task;
  readonly view: SolverView;
  readonly prompt: Prompt;
  readonly samples: number;
}

/**
 * @param accepted this iteration's tasks.
 * @param buffer with them where drawsOwnTasks says so, else as the iteration found it.
 */
export function planGroups(
  context: Place,
  config: RunConfig,
  accepted: readonly Task[],
  buffer: TaskBuffer,
  promptOf: PolicyCodec['solvePrompt'],
): PlannedGroup[] {
  const { runId } = context.run;
  /** Undefined for a task that is too long to be asked. */
  const asked = new Map<string, { readonly view: SolverView; readonly prompt: Prompt } | undefined>();
  const ask = (task: Task): { readonly view: SolverView; readonly prompt: Prompt } | undefined => {
    if (!asked.has(task.taskId)) {
      const view = taskKinds[task.kind].solve(task);
      const prompt = unlessTooLong(() => promptOf(task.kind, view));
      asked.set(task.taskId, prompt === undefined ? undefined : { view, prompt });
    }
    return asked.get(task.taskId);
  };
  const group = (purpose: SolvePurpose, task: Task, index: number, samples: number): PlannedGroup[] => {
    const question = ask(task);
    if (question === undefined) return [];
    const groupId = idOf(runId, context.iteration, 'group', purpose, task.kind, index);
    return [{ groupId, purpose, index, task, ...question, samples }];
  };
  const newest = context.iteration - (drawsOwnTasks(config) ? 0 : 1);
  return TASK_KINDS.filter((kind) => config.propose.kinds.includes(kind)).flatMap((kind) => {
    const randomOf = generatorsOf(seedOf(config.seed, context.iteration, 'solve', kind, 'tasks'));
    const { mixing, samplesPerTask } = config.solve;
    const own = accepted.filter((task) => task.kind === kind);
    // Generated tasks have no proposer whose reward would rest on rollouts; they are what this iteration is about.
    if (config.propose.source === 'uniform')
      return own.flatMap((task, index) => group('solve', task, index, samplesPerTask));
    const drawn = drawFitting(
      buffer,
      [kind],
      (left, random) => drawSolverTasks(left, kind, batchOfKind(config.solve, kind), mixing, newest, random),
      (task) => ask(task) !== undefined,
      randomOf,
    );
    return [
      // A task too long to be asked has no rollouts, and so learnability 0.
      ...own.flatMap((task, index) => group('learnability', task, index, config.learnability.samples)),
      ...drawn.flatMap((task, index) => group('solve', task, index, samplesPerTask)),
    ];
  });
}
