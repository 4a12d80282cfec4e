/**
 * Tasks drawn from the tiny domain instead of proposed: solver-only runs, which tell what self-play's proposer adds.
 *
 * A program has a length with the given weights and is uniform within its length; each input is uniform among
 * those that the evaluation does not hold out. Only programs and inputs are made here: outputs are the sandbox's.
 */
import { cumulative, Random } from '../../random.js';
import { PAPER_KINDS, type TaskKind } from '../../tasks/types.js';
import { seedOf } from '../../coordinates.js';
import { drawInputFor, drawProgram } from './generator.js';
import { INDUCTION_INPUTS } from './grammar.js';
import { renderList, renderProgram } from './operations.js';

export interface UniformTask {
  readonly kind: TaskKind;
  /** Place among the tasks of its kind, from 0. */
  readonly index: number;
  readonly code: string;
  readonly inputs: readonly string[];
}

/**
 * @param seed the run's. @param countOf tasks of a kind. @param lengthWeights of program lengths from 1.
 * @param kinds whose tasks are drawn; those of error prediction are not drawn.
 * @returns by kind, then index; each task depends on its own coordinates alone.
 */
export function uniformTasks(
  seed: number,
  iteration: number,
  countOf: (kind: TaskKind) => number,
  lengthWeights: readonly number[],
  kinds: readonly TaskKind[] = PAPER_KINDS,
): UniformTask[] {
  const totals = cumulative(lengthWeights);
  return kinds.flatMap((kind) =>
    Array.from({ length: countOf(kind) }, (_, index): UniformTask => {
      const random = new Random(seedOf(seed, iteration, 'uniform-task', kind, index));
      const operations = drawProgram(random, 1 + random.weighted(totals));
      const inputs = Array.from({ length: kind === 'induction' ? INDUCTION_INPUTS : 1 }, () =>
        renderList(drawInputFor(random, operations)),
      );
      return { kind, index, code: renderProgram(operations), inputs };
    }),
  );
}
