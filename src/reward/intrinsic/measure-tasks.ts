/**
 * The raw intrinsic measures of an iteration's accepted proposals, by the enabled terms alone. Where no enabled term needs
 * syntax trees, none is asked for; each program is parsed once, whatever number of prompts showed it.
 *
 * Programs and references are taken as they were written (the published use_original_code_as_ref: true); counts are those
 * of the tasks accepted before the iteration.
 */
import type { TypeCounters } from '../../buffer/type-counters.js';
import type { TaskKind } from '../../tasks/types.js';
import {
  enabledTerms,
  intrinsicMeasures,
  needsReferences,
  needsTrees,
  type IntrinsicMeasure,
  type IntrinsicSettings,
} from './components.js';
import type { TypeCounts } from './answer-diversity.js';
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

/** @returns one entry for each task whose kind has an enabled term, in order. */
export async function measureTasks(
  tasks: readonly MeasuredTask[],
  counters: TypeCounters,
  settings: IntrinsicSettings,
  treesOf: TreesOf,
): Promise<readonly TaskMeasures[]> {
  const measured = tasks.filter(({ kind }) => enabledTerms(kind, settings).length > 0);
  const programs = new Set<string>();
  for (const { kind, code, references } of measured) {
    if (needsTrees(kind, settings)) programs.add(code);
    if (needsReferences(kind, settings)) for (const reference of references) programs.add(reference);
  }
  const codes = [...programs];
  const parsed = codes.length === 0 ? [] : await treesOf(codes);
  const trees = new Map(codes.map((code, i) => [code, parsed[i]]));
  return measured.map(({ proposalId, taskId, kind, code, inputs, outputs, references }) => ({
    proposalId,
    taskId,
    kind,
    measures: intrinsicMeasures(
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
    ),
  }));
}

/** The counter of what a solver of the kind has to give. */
function answerCounter(kind: TaskKind, { inputs, outputs, errors }: TypeCounters): TypeCounts {
  if (kind === 'error') return errors;
  return kind === 'abduction' ? inputs : outputs;
}
