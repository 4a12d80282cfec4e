/** The kinds of task, each told in its own file. A new kind is one new file, one line here and one in TASK_KINDS. */
import { abduction } from './abduction.js';
import { deduction } from './deduction.js';
import { errorPrediction } from './error-prediction.js';
import { induction } from './induction.js';
import type { TaskKind, TaskKindDefinition } from './types.js';

export const taskKinds: Readonly<Record<TaskKind, TaskKindDefinition>> = {
  deduction,
  abduction,
  induction,
  error: errorPrediction,
};
