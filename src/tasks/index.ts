/** The kinds of task. A new kind is one new file and one line here. */
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
