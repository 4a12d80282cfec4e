/**
 * Intrinsic measures of an iteration from its facts: for replay, which compares them with the record, and for rewards
 * under another configuration, which may want terms that the run did not measure.
 */
import type { EventDataByType } from '../../../schemas/generated/events.js';
import type { TypeCounters } from '../../buffer/type-counters.js';
import { INDUCTION_TERMS, PROGRAM_TERMS, type IntrinsicSettings } from './components.js';
import { measureTasks, type TaskMeasures, type TreesOf } from './measure-tasks.js';

export interface MeasuredFacts {
  readonly proposals: readonly EventDataByType['ProposalSampled'][];
  readonly accepted: readonly EventDataByType['TaskAccepted'][];
}

/** What the run had accepted before the iteration. */
export interface EarlierTasks {
  readonly counters: TypeCounters;
  /** A task's program as its proposer wrote it. */
  readonly programOf: (taskId: string) => string | undefined;
}

/** One entry for each accepted proposal whose kind has an enabled term. @throws Error for a reference that is unknown. */
export function measuresFromLog(
  facts: MeasuredFacts,
  earlier: EarlierTasks,
  settings: IntrinsicSettings,
  treesOf: TreesOf,
): Promise<readonly TaskMeasures[]> {
  const proposalOf = new Map(facts.proposals.map((proposal) => [proposal.proposalId, proposal]));
  const tasks = facts.accepted.flatMap(({ proposalId, taskId, kind, originalCode, inputs, outputs }) => {
    const proposal = proposalId === null ? undefined : proposalOf.get(proposalId);
    if (proposal === undefined) return [];
    const references = proposal.referenceTaskIds.map((id) => {
      const program = earlier.programOf(id);
      if (program === undefined)
        throw new Error(
          `the log lacks TaskAccepted of ${id}, a reference of proposal ${proposal.proposalId}`,
        );
      return program;
    });
    const { proposalId: id } = proposal;
    return [{ proposalId: id, taskId, kind, code: originalCode, inputs, outputs, references }];
  });
  return measureTasks(tasks, earlier.counters, settings, treesOf);
}

/**
 * Whether measures taken under `measured` serve rewards under `wanted`: every term that it enables was taken, by the same
 * rule. Coefficients and caps do not matter: the record has raw values.
 */
export function measuresSuffice(measured: IntrinsicSettings, wanted: IntrinsicSettings): boolean {
  return [...PROGRAM_TERMS, ...INDUCTION_TERMS].every((term) => {
    if (wanted[term]?.enabled !== true) return true;
    return (
      measured[term]?.enabled === true && (measured[term].rule ?? 'flat') === (wanted[term].rule ?? 'flat')
    );
  });
}
