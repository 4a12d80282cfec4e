/** How many tasks of a kind an iteration proposes or solves: the step's `batch`, or what `batchByKind` has for the kind. */
import type { TaskKind } from '../tasks/types.js';

export interface Batches {
  readonly batch: number;
  readonly batchByKind: Readonly<Partial<Record<TaskKind, number | undefined>>>;
}

export const batchOfKind = ({ batch, batchByKind }: Batches, kind: TaskKind): number =>
  batchByKind[kind] ?? batch;
