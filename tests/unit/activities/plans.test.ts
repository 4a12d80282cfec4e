/** What an iteration's proposers and solvers are asked, from a buffer that is known by heart. */
import { describe, expect, it } from 'vitest';
import { planProposals } from '../../../src/activities/plan-proposals.js';
import { drawsOwnTasks, planGroups, type PlannedGroup } from '../../../src/activities/plan-solving.js';
import { bufferPolicy } from '../../../src/activities/buffer-view.js';
import {
  acceptTask,
  emptyBuffer,
  type BufferedTask,
  type TaskBuffer,
} from '../../../src/buffer/task-buffer.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import type { RunConfig } from '../../../src/config/run.js';
import type { PolicyCodec } from '../../../src/policy/codec.js';
import { PromptTooLongError } from '../../../src/policy/text/codec.js';
import { TASK_KINDS, type TaskKind } from '../../../src/tasks/types.js';

const at = (iteration: number) => ({ run: { runId: 'r' }, iteration });
const configOf = async (...overrides: string[]): Promise<RunConfig> =>
  (await resolveRunConfig('7b', overrides)).config;

const task = (kind: TaskKind, iteration: number, n: number): BufferedTask => ({
  taskId: `${kind} ${iteration} ${n}`,
  kind,
  code: `def f(x):\n    return x + ${n}`,
  originalCode: `def f(x):\n    return x + ${n}`,
  inputs: ['1'],
  outputs: [String(1 + n)],
  message: null,
  iteration,
});
const tasksOf = (kind: TaskKind, iteration: number, count = 4): BufferedTask[] =>
  Array.from({ length: count }, (_, n) => task(kind, iteration, n));

function bufferOf(config: RunConfig, ...tasks: readonly BufferedTask[]): TaskBuffer {
  const buffer = emptyBuffer();
  for (const each of tasks) acceptTask(buffer, each, bufferPolicy(config));
  return buffer;
}

/** Prompts that say what they were made of; counted. */
function countingPrompts(tooLong: (text: string) => boolean = () => false): {
  propose: PolicyCodec['proposePrompt'];
  solve: PolicyCodec['solvePrompt'];
  made: string[];
} {
  const made: string[] = [];
  const make = (text: string) => {
    made.push(text);
    if (tooLong(text)) throw new PromptTooLongError(2, 1);
    return { text, tokens: [1], maxTokens: 1 };
  };
  return {
    propose: (kind, references, program, functions = []) =>
      make(`${kind}: ${program ?? `${references.length} references, ${functions.length} functions`}`),
    solve: (kind, view) => make(`${kind}: ${view.code ?? ''}`),
    made,
  };
}

describe('proposers', () => {
  it('of programs are shown references of their kind, of induction a program; each program makes one prompt', async () => {
    const config = await configOf('propose.batch=40', 'propose.references=3');
    const buffer = bufferOf(config, ...tasksOf('deduction', 1), ...tasksOf('abduction', 1, 2));
    const { propose, made } = countingPrompts();
    const plan = planProposals(at(2), config, buffer, propose);
    expect(plan.map(({ kind, index }) => `${kind} ${index}`)).toEqual(
      ['deduction', 'abduction', 'induction'].flatMap((kind) =>
        Array.from({ length: 40 }, (_, index) => `${kind} ${index}`),
      ),
    );
    for (const { kind, program, programTaskId, referenceTaskIds } of plan)
      if (kind === 'induction') {
        expect(program).toMatch(/^def f/);
        expect(programTaskId).toMatch(/^(de|ab)duction 1 \d$/);
        expect(referenceTaskIds).toEqual([]);
      } else {
        expect([program, programTaskId]).toEqual([null, null]);
        expect(new Set(referenceTaskIds).size).toBe(kind === 'deduction' ? 3 : 2);
        for (const id of referenceTaskIds) expect(id.startsWith(`${kind} 1`)).toBe(true);
      }
    // Six tasks have four different programs.
    expect(made.filter((text) => text.startsWith('induction')).sort()).toEqual(
      [...new Set(plan.flatMap(({ program }) => program ?? []))].sort().map((code) => `induction: ${code}`),
    );
    expect(planProposals(at(2), config, buffer, propose)).toEqual(plan);
    expect(planProposals(at(3), config, buffer, propose).map(({ seed }) => seed)).not.toEqual(
      plan.map(({ seed }) => seed),
    );
  });

  it('are as many as the kind has a batch of its own, or the step', async () => {
    const config = await configOf('propose.batch=3', 'propose.batchByKind={ induction: 7 }');
    const buffer = bufferOf(config, ...tasksOf('deduction', 1));
    const plan = planProposals(at(2), config, buffer, countingPrompts().propose);
    const counts = TASK_KINDS.map((kind) => plan.filter((planned) => planned.kind === kind).length);
    expect(counts).toEqual([3, 3, 7, 0]);
  });

  it('of induction have nothing to propose before there is a program, or where none fits', async () => {
    const config = await configOf('propose.batch=2');
    const { propose } = countingPrompts((text) => text.includes('def f'));
    for (const buffer of [emptyBuffer(), bufferOf(config, ...tasksOf('deduction', 1))])
      expect(planProposals(at(2), config, buffer, propose).map(({ kind }) => kind)).toEqual([
        ...['deduction', 'deduction', 'abduction', 'abduction'],
      ]);
  });

  it('draw another program where one is too long', async () => {
    const config = await configOf('propose.batch=20');
    const { propose, made } = countingPrompts((text) => text.endsWith('x + 0'));
    const plan = planProposals(at(2), config, bufferOf(config, ...tasksOf('deduction', 1, 2)), propose);
    const programs = plan.flatMap(({ program }) => program ?? []);
    expect(programs).toHaveLength(20);
    expect(new Set(programs)).toEqual(new Set([task('deduction', 1, 1).code]));
    expect(made.filter((text) => text.startsWith('induction'))).toHaveLength(2);
  });

  it('are given functions with the chance of the iteration, and then fewer references', async () => {
    const config = await configOf(
      ...['propose.batch=8', 'propose.references=3', 'propose.composite.chance=1'],
      ...['propose.kinds=[deduction]', 'propose.composite.startIteration=2'],
    );
    const buffer = bufferOf(config, ...tasksOf('deduction', 0));
    const { propose } = countingPrompts();
    const [before, after] = [1, 2].map((iteration) => planProposals(at(iteration), config, buffer, propose));
    for (const { compositeTaskIds, prompt } of before ?? [])
      expect([compositeTaskIds.length, prompt.text]).toEqual([0, 'deduction: 3 references, 0 functions']);
    for (const { compositeTaskIds, referenceTaskIds, prompt } of after ?? []) {
      expect([compositeTaskIds.length, prompt.text]).toEqual([1, 'deduction: 2 references, 1 functions']);
      expect(referenceTaskIds).not.toContain(compositeTaskIds[0]);
    }
  });
});

describe('solvers', () => {
  const own = [...tasksOf('deduction', 2, 3), ...tasksOf('abduction', 2, 1)];
  const earlier = [...tasksOf('deduction', 1, 3), ...tasksOf('deduction', 0, 3)];

  async function planned(...overrides: string[]): Promise<PlannedGroup[]> {
    const config = await configOf('solve.batch=3', ...overrides);
    const buffer = bufferOf(config, ...earlier, ...(drawsOwnTasks(config) ? own : []));
    return planGroups(at(2), config, own, buffer, countingPrompts().solve);
  }
  const solved = (plan: readonly PlannedGroup[]): number[] =>
    plan
      .filter(({ purpose, task: { kind } }) => purpose === 'solve' && kind === 'deduction')
      .map(({ task: { taskId } }) => Number(taskId.split(' ')[1]));

  it("try this iteration's tasks in mode paper, those of the one before in mode published", async () => {
    expect(solved(await planned('mode=paper'))).toEqual([2, 2, 2]);
    expect(solved(await planned('mode=published'))).toEqual([1, 1, 1]);
  });

  it('estimate the learnability of each accepted task, with as many rollouts as configured', async () => {
    for (const mode of ['paper', 'published']) {
      const plan = await planned(`mode=${mode}`, 'learnability.samples=5', 'solve.samplesPerTask=2');
      const rollouts = plan.filter(({ purpose }) => purpose === 'learnability');
      expect(rollouts.map(({ task: { taskId } }) => taskId)).toEqual(own.map(({ taskId }) => taskId));
      for (const { purpose, samples } of plan) expect(samples).toBe(purpose === 'learnability' ? 5 : 2);
      expect(new Set(plan.map(({ groupId }) => groupId)).size).toBe(plan.length);
    }
  });

  it('are as many as the kind has a batch of its own, or the step', async () => {
    expect(solved(await planned('solve.batchByKind={ deduction: 2, induction: 1 }'))).toHaveLength(2);
    expect(solved(await planned('solve.batchByKind={ induction: 1 }'))).toHaveLength(3);
  });

  it('are not asked what is too long: another task is drawn, and its proposal has no rollouts', async () => {
    const config = await configOf('solve.batch=2', 'propose.kinds=[deduction]');
    const { solve } = countingPrompts((text) => text.endsWith('x + 0'));
    const plan = planGroups(at(2), config, own, bufferOf(config, ...earlier, ...own), solve);
    const ids = (purpose: string): string[] =>
      plan.filter((group) => group.purpose === purpose).map(({ task: { taskId } }) => taskId);
    expect(ids('learnability')).toEqual(['deduction 2 1', 'deduction 2 2']);
    expect(ids('solve').sort()).toEqual(['deduction 2 1', 'deduction 2 2']);
  });
});
