/**
 * The raw intrinsic measures of an iteration's accepted proposals, by the enabled terms alone. Where no enabled term needs
 * syntax trees, none is asked for.
 *
 * Programs and references are taken as they were written (the published use_original_code_as_ref: true); counts are those
 * of the tasks accepted before the iteration, of all kinds together. Deviation: the published code measures one kind
 * after the other and counts the tasks that the kinds before it have just added.
 */
import { setImmediate } from 'node:timers/promises';
import type { TypeCounters } from '../../buffer/type-counters.js';
import type { TaskKind } from '../../tasks/types.js';
import type { TypeCounts } from './answer-diversity.js';
import {
  enabledTerms,
  intrinsicMeasuresSteps,
  needsReferences,
  needsTrees,
  type IntrinsicMeasure,
  type IntrinsicSettings,
} from './components.js';
import type { SyntaxNode } from './syntax-tree.js';

export interface MeasuredTask {
  readonly proposalId: string;
  readonly taskId: string;
  readonly kind: TaskKind;
  /** As the proposer wrote it. */
  readonly code: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Programs of its prompt's references, as their proposers wrote them. */
  readonly references: readonly string[];
}

/** Syntax trees in order; undefined for what does not parse. */
export type TreesOf = (codes: readonly string[]) => Promise<readonly (SyntaxNode | undefined)[]>;

export interface TaskMeasures {
  readonly proposalId: string;
  readonly taskId: string;
  readonly kind: TaskKind;
  readonly measures: readonly IntrinsicMeasure[];
}

/** Characters of programs whose trees are held at once; a tree takes some hundred times its program's memory. */
const CHARACTERS_TOGETHER = 1 << 20;

/**
 * Leaves the event loop free between steps of some milliseconds, so that heartbeats go out.
 *
 * @returns one entry for each task whose kind has an enabled term, in order.
 */
export async function measureTasks(
  tasks: readonly MeasuredTask[],
  counters: TypeCounters,
  settings: IntrinsicSettings,
  treesOf: TreesOf,
): Promise<readonly TaskMeasures[]> {
  const measured = tasks.filter(({ kind }) => enabledTerms(kind, settings).length > 0);
  const found: TaskMeasures[] = [];
  for (const group of groupsOf(measured, settings)) {
    const codes = [...group.programs];
    const parsed = codes.length === 0 ? [] : await treesOf(codes);
    const trees = new Map(codes.map((code, i) => [code, parsed[i]]));
    for (const task of group.tasks)
      found.push({
        proposalId: task.proposalId,
        taskId: task.taskId,
        kind: task.kind,
        measures: await measuresOf(task, trees, counters, settings),
      });
  }
  return found;
}

interface Group {
  readonly tasks: MeasuredTask[];
  /** What must be parsed for them: each program once, whatever number of prompts showed it. */
  readonly programs: Set<string>;
}

function groupsOf(tasks: readonly MeasuredTask[], settings: IntrinsicSettings): readonly Group[] {
  const groups: Group[] = [];
  let characters = Infinity;
  for (const task of tasks) {
    if (characters > CHARACTERS_TOGETHER) {
      groups.push({ tasks: [], programs: new Set() });
      characters = 0;
    }
    const group = groups.at(-1) as Group;
    group.tasks.push(task);
    for (const code of programsOf(task, settings)) {
      if (group.programs.has(code)) continue;
      group.programs.add(code);
      characters += code.length;
    }
  }
  return groups;
}

function programsOf(
  { kind, code, references }: MeasuredTask,
  settings: IntrinsicSettings,
): readonly string[] {
  return [
    ...(needsTrees(kind, settings) ? [code] : []),
    ...(needsReferences(kind, settings) ? references : []),
  ];
}

async function measuresOf(
  { kind, code, inputs, outputs, references }: MeasuredTask,
  trees: ReadonlyMap<string, SyntaxNode | undefined>,
  counters: TypeCounters,
  settings: IntrinsicSettings,
): Promise<readonly IntrinsicMeasure[]> {
  const steps = intrinsicMeasuresSteps(
    {
      kind,
      tree: () => trees.get(code),
      references: () => references.flatMap((reference) => trees.get(reference) ?? []),
      answer: (kind === 'abduction' ? inputs : outputs)[0] ?? '',
      answerCounts: () => answerCounter(kind, counters),
      inputs,
      outputs,
      inputCounts: () => counters.inputs,
      outputCounts: () => counters.outputs,
    },
    settings,
  );
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await setImmediate();
  }
}

/** The counter of what a solver of the kind has to give. */
function answerCounter(kind: TaskKind, { inputs, outputs, errors }: TypeCounters): TypeCounts {
  if (kind === 'error') return errors;
  return kind === 'abduction' ? inputs : outputs;
}
