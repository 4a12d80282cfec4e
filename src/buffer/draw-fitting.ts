/**
 * Draws of tasks whose prompts fit: a task that does not fit is set aside and the draw made again without it (the
 * published code drops it, and for a proposer's program loops for ever where none fits). Where all fit, which is the
 * rule, the first draw stands.
 */
import { seedOf } from '../coordinates.js';
import { Random } from '../random.js';
import type { TaskKind } from '../tasks/types.js';
import type { BufferedTask, TaskBuffer } from './task-buffer.js';

/** Generators of the draws from one seed: the first draw has the seed itself. */
export function generatorsOf(seed: number): (attempt: number) => Random {
  return (attempt) => new Random(attempt === 0 ? seed : seedOf(seed, attempt));
}

/**
 * @param draw from a buffer without the tasks set aside.
 * @param randomOf the generator of the n-th draw, from 0.
 * @returns the first draw that fits whole; an empty one where nothing is left to draw.
 */
export function drawFitting(
  buffer: TaskBuffer,
  kinds: readonly TaskKind[],
  draw: (left: TaskBuffer, random: Random) => readonly BufferedTask[],
  fits: (task: BufferedTask) => boolean,
  randomOf: (attempt: number) => Random,
): readonly BufferedTask[] {
  const tooLong = new Set<BufferedTask>();
  let left = buffer;
  for (let attempt = 0; ; attempt++) {
    const drawn = draw(left, randomOf(attempt));
    const refused = drawn.filter((task) => !fits(task));
    if (refused.length === 0) return drawn;
    for (const task of refused) tooLong.add(task);
    const tasks = { ...buffer.tasks };
    for (const kind of kinds) tasks[kind] = buffer.tasks[kind].filter((task) => !tooLong.has(task));
    left = { ...buffer, tasks };
  }
}
