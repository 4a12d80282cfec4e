/**
 * The tiny policy's benchmark: tasks of the held-out part of its domain, from a fixed generator seed.
 *
 * For each kind and each program length the same number of questions, duplicates removed. Every (program, input) pair
 * in them is held out (policy/tiny/generator.ts): no warm-up row, accepted task or learner row contains it.
 */
import { drawInputFor, drawProgram } from '../policy/tiny/generator.js';
import { INDUCTION_INPUTS } from '../policy/tiny/grammar.js';
import { MAX_OPERATIONS, renderList, renderProgram, trace } from '../policy/tiny/operations.js';
import type { RunConfig } from '../config/run.js';
import { seedOf } from '../coordinates.js';
import { Random } from '../random.js';
import { PAPER_KINDS, type Task, type TaskKind } from '../tasks/types.js';

export interface BenchmarkExample {
  readonly task: Task;
  /** Scores are kept by bucket; here the program's length. */
  readonly bucket: string;
}

/** Fixed for ever: scores of different runs are comparable. */
const GENERATOR_SEED = 20_250_506;
export const TINY_HELD_OUT = 'tiny-held-out.v1';

/**
 * @param perBucket questions for each kind and program length, 1 to 10,000.
 * @param longest operations of the longest programs, 3 to 5. Questions about shorter ones do not depend on it.
 */
export function tinyHeldOut(perBucket: number, longest = MAX_OPERATIONS): BenchmarkExample[] {
  if (!(Number.isInteger(perBucket) && perBucket >= 1 && perBucket <= 10_000))
    throw new RangeError(`perBucket is ${perBucket}; accepted are 1 to 10000`);
  const upToThree = new Random(GENERATOR_SEED);
  const examples: BenchmarkExample[] = [];
  for (const kind of PAPER_KINDS) {
    for (let length = 1; length <= longest; length++) {
      const random = length <= MAX_OPERATIONS ? upToThree : new Random(seedOf(GENERATOR_SEED, kind, length));
      const seen = new Set<string>();
      while (seen.size < perBucket) {
        const task = draw(random, kind, length, seen.size);
        const key = JSON.stringify([task.code, task.inputs]);
        if (seen.has(key)) continue;
        seen.add(key);
        examples.push({ task, bucket: `length ${length}` });
      }
    }
  }
  return examples;
}

function draw(random: Random, kind: TaskKind, length: number, index: number): Task {
  const operations = drawProgram(random, length);
  const inputs = Array.from({ length: kind === 'induction' ? INDUCTION_INPUTS : 1 }, () =>
    drawInputFor(random, operations, true),
  );
  return {
    taskId: `${TINY_HELD_OUT}/${kind}/${length}/${index}`,
    kind,
    code: renderProgram(operations),
    inputs: inputs.map(renderList),
    outputs: inputs.map((input) => renderList(trace(operations, input).at(-1) ?? [])),
    message: null,
  };
}

/** The questions of a run. */
export function heldOutOf({ evaluation, policy }: RunConfig): BenchmarkExample[] {
  const domain = policy.kind === 'tiny' ? policy.operations : undefined;
  return tinyHeldOut(evaluation.perBucket, evaluation.operations ?? domain);
}
