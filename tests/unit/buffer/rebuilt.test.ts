/**
 * The buffer is a function of the log: read at once, read bit by bit, in any order of partitions, with facts that stand
 * twice, it is the same.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bufferFactOf, foldFacts, type BufferFact } from '../../../src/buffer/buffer-facts.js';
import { KEEP_POLICIES } from '../../../src/buffer/keep.js';
import { emptyBuffer, type BufferPolicy, type TaskBuffer } from '../../../src/buffer/task-buffer.js';
import type { TypeCounters } from '../../../src/buffer/type-counters.js';
import { VALID_PROGRAM_FILTERS } from '../../../src/buffer/valid-program-filter.js';
import { TASK_KINDS } from '../../../src/tasks/types.js';
import type { AzrEvent } from '../../../schemas/generated/events.js';
import { event } from '../../support/events.js';

const KINDS = TASK_KINDS;

interface PlannedTask {
  readonly kind: (typeof KINDS)[number];
  readonly code: string;
  readonly input: string;
  readonly accuracies: readonly number[];
  readonly judged: boolean;
}

/** Events of a run as its steps write them: an iteration's tasks, then its verdicts. */
function eventsOf(iterations: readonly (readonly PlannedTask[])[]): AzrEvent[] {
  return iterations.flatMap((tasks, i) => {
    const place = { runId: 'r', iteration: i + 1 };
    const taskIdOf = (index: number): string => `task ${i + 1} ${index}`;
    const accepted = tasks.map(({ kind, code, input }, index) =>
      event('TaskAccepted', place, [index], {
        taskId: taskIdOf(index),
        proposalId: `proposal ${i + 1} ${index}`,
        origin: 'proposal',
        kind,
        index,
        code,
        originalCode: code,
        inputs: kind === 'induction' ? [input, '1, 2'] : [input],
        outputs: kind === 'induction' ? [input, "'x'"] : [input],
        message: null,
        imports: [],
        thought: null,
        compositeTaskIds: [],
        referenceTaskIds: [],
        formatOk: true,
      }),
    );
    const verdicts = tasks.flatMap(({ kind, accuracies, judged }, index) =>
      judged
        ? [
            event('SolutionVerified', place, [index], {
              groupId: `group ${i + 1} ${index}`,
              taskId: taskIdOf(index),
              kind,
              purpose: index % 3 === 2 ? 'solve' : 'learnability',
              attempts: accuracies.map((accuracy, sample) => ({
                sample,
                correct: accuracy === 1,
                accuracy,
                reason: accuracy === 1 ? 'correct' : 'wrong',
              })),
            }),
          ]
        : [],
    );
    return [...accepted, ...verdicts];
  });
}

const plannedTask: fc.Arbitrary<PlannedTask> = fc.record({
  kind: fc.constantFrom(...KINDS),
  code: fc.constantFrom('a', 'b', 'c'),
  input: fc.constantFrom('1', '[1]', '[2]', "'x'", '1, 2', 'no literal'),
  accuracies: fc.array(fc.constantFrom(0, 0.5, 1), { minLength: 1, maxLength: 3 }),
  judged: fc.boolean(),
});
const run = fc.array(fc.array(plannedTask, { maxLength: 6 }), { minLength: 1, maxLength: 5 });
const policies: fc.Arbitrary<BufferPolicy> = fc.record({
  maxTasks: fc.integer({ min: 1, max: 6 }),
  keep: fc.constantFrom(...KEEP_POLICIES),
  validProgramFilter: fc.constantFrom(...VALID_PROGRAM_FILTERS),
  induction: fc.constantFrom('binary', 'accuracy', 'if_one_correct'),
});

const factsOf = (events: readonly AzrEvent[]): BufferFact[] =>
  events.map(bufferFactOf).filter((fact) => fact !== undefined);

/** Where iterations' tasks, and whole iterations, end: the places at which steps read the buffer. */
function stepsOf(events: readonly AzrEvent[]): number[] {
  return events.flatMap(({ type, envelope }, i) => {
    const next = events[i + 1];
    return next === undefined || next.type !== type || next.envelope.iteration !== envelope.iteration
      ? [i + 1]
      : [];
  });
}

describe('the buffer, rebuilt from the log', () => {
  it('equals the one that grew step by step', () => {
    fc.assert(
      fc.property(run, policies, fc.integer(), (iterations, policy, seed) => {
        const events = eventsOf(iterations);
        const grown = emptyBuffer();
        let from = 0;
        for (const to of stepsOf(events)) {
          foldFacts(grown, factsOf(events.slice(from, to)), policy);
          from = to;
        }
        const rebuilt = emptyBuffer();
        // Other partitions, other order; and every third fact twice.
        const doubled = [...events, ...events.filter((_, i) => (i + seed) % 3 === 0)];
        const shuffled = doubled
          .map((item, i) => ({ item, key: Math.imul(i + 1, seed | 1) >>> 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
        foldFacts(rebuilt, factsOf(shuffled), policy);
        expect(plain(rebuilt)).toEqual(plain(grown));
        for (const kind of KINDS) expect(rebuilt.tasks[kind].length).toBeLessThanOrEqual(policy.maxTasks);
      }),
      { numRuns: 300 },
    );
  });

  it('counts values by type, repeats and what left included', () => {
    const one = (kind: PlannedTask['kind'], input: string): PlannedTask => ({
      kind,
      code: 'a',
      input,
      accuracies: [0],
      judged: false,
    });
    const events = eventsOf([
      [one('deduction', '[1]'), one('deduction', '[1]'), one('abduction', '1, 2')],
      [one('induction', '7')],
    ]);
    const buffer = emptyBuffer();
    foldFacts(buffer, factsOf(events), {
      maxTasks: 1,
      keep: 'newest',
      validProgramFilter: 'all',
      induction: 'binary',
    });
    const { inputs, outputs, errors } = buffer.types;
    const counted = (counter: TypeCounters['inputs']): unknown =>
      Object.fromEntries([...counter].map(([type, values]) => [type, Object.fromEntries(values)]));
    expect(counted(inputs)).toEqual({ list: { '[1]': 2 }, tuple: { '1, 2': 2 }, int: { 7: 1 } });
    expect([...(outputs.get('str')?.values() ?? [])]).toEqual([1]);
    expect(errors.size).toBe(0);
  });
});

/** Whether a map's entries came in this order or that is no difference; a task list's order is one. */
function plain(buffer: TaskBuffer): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>): unknown =>
    [...map]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, value instanceof Map ? sorted(value) : value]);
  const { tasks, byId, solved, perProgram, contents, types, judged } = buffer;
  return {
    tasks,
    byId: sorted(byId),
    solved: sorted(solved),
    perProgram: sorted(perProgram),
    contents: sorted(contents),
    types: [types.inputs, types.outputs, types.errors].map(sorted),
    judged: [...judged].sort(),
  };
}
