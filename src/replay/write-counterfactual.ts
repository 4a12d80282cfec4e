/** A counterfactual into its tables: rows iteration by iteration, what it was at the end. */
import type { CounterfactualTables } from '../../pipelines/counterfactual-tables.js';
import type { EventLog } from '../../pipelines/event-log.js';
import {
  counterfactual,
  type CounterfactualOptions,
  type CounterfactualResult,
  type CounterfactualReward,
} from './counterfactual.js';

export async function writeCounterfactual(
  log: EventLog,
  tables: CounterfactualTables,
  runId: string,
  options: Omit<CounterfactualOptions, 'onRows'>,
  codeVersion: string,
): Promise<CounterfactualResult> {
  const result = await counterfactual(log, runId, {
    ...options,
    onRows: async (id, rewards, advantages) => {
      await tables.write('counterfactual_rewards', id, rewards.map(rewardColumns));
      await tables.write(
        'counterfactual_advantages',
        id,
        advantages.map((row) => ({ ...row })),
      );
    },
  });
  if (result.kind === 'computed')
    await tables.complete(result.config.id, {
      firstIteration: result.report.firstIteration,
      lastIteration: result.report.lastIteration,
      changesJson: JSON.stringify(result.config.changes),
      configJson: result.config.json,
      codeVersion,
    });
  return result;
}

function rewardColumns({ components, ...row }: CounterfactualReward): Readonly<Record<string, unknown>> {
  return {
    ...row,
    componentNames: components.map(({ name }) => name),
    componentValues: components.map(({ value }) => value),
  };
}
