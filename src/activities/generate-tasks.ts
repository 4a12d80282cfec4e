/**
 * `propose.source: uniform`: an iteration's tasks from the tiny domain's generator, executed in the sandbox like any
 * other. There are no proposals, so none is recorded: a task's origin is `builtin` and its proposal null.
 */
import type { EventReference } from '../../pipelines/event-log.js';
import { emptyReference } from '../../pipelines/kafka-event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { batchOfKind } from '../config/batch-of-kind.js';
import { tinyPolicy } from '../config/policy.js';
import type { RunConfig } from '../config/run.js';
import { idOf } from '../coordinates.js';
import { uniformTasks } from '../policy/tiny/uniform-tasks.js';
import { TASK_KINDS } from '../tasks/types.js';
import { validateProposals } from '../sandbox/index.js';
import type { Sandbox } from '../sandbox/port.js';
import type { StepContext } from '../../workflows/types.js';
import { executionFact } from './execution-fact.js';
import type { FactOrigin } from './facts.js';
import { unproposedRejection, unproposedTask } from './unproposed-facts.js';

/** A reference to no proposal at all, which any log holds. */
export function noProposals({ run, iteration }: StepContext): EventReference {
  const types = ['ProposalSampled'] as const;
  return emptyReference(topicOf('ProposalSampled'), { runId: run.runId, iteration, types });
}

/** @returns the events to record, and how many of the tasks the sandbox bore out. */
export async function generateTasks(
  sandbox: Sandbox,
  config: RunConfig,
  context: StepContext,
  origin: FactOrigin,
): Promise<{ readonly events: readonly AzrEvent[]; readonly accepted: number; readonly rejected: number }> {
  // Refuses a run of any other policy: the domain is the tiny one's.
  tinyPolicy(config.policy);
  const drawn = uniformTasks(
    config.seed,
    context.iteration,
    (kind) => batchOfKind(config.solve, kind),
    config.propose.uniformLengths,
    TASK_KINDS.filter((kind) => config.propose.kinds.includes(kind)),
  ).map((task) => ({
    ...task,
    subjectId: idOf(context.run.runId, context.iteration, 'uniform-task', task.kind, task.index),
  }));
  const { results, executions } = await validateProposals(
    sandbox,
    drawn.map(({ subjectId, code, inputs }) => ({ id: subjectId, code, inputs })),
    { policy: config.sandbox.policy },
  );
  const events: AzrEvent[] = executions.map(({ request, result }) =>
    executionFact(origin, 'validate', request.id, request, result, sandbox.interpreter),
  );
  let accepted = 0;
  for (const [i, { subjectId, kind, index, code, inputs }] of drawn.entries()) {
    const result = results[i];
    if (result === undefined) throw new Error(`no result for generated task ${subjectId}`);
    const common = { origin: 'builtin', kind, index, code } as const;
    if (result.ok) {
      accepted += 1;
      const { outputs } = result;
      const task = { ...common, originalCode: code, inputs, outputs, message: null, imports: [] };
      events.push(unproposedTask(origin, subjectId, task));
    } else {
      const { reason, detail } = result;
      events.push(unproposedRejection(origin, subjectId, { ...common, reason, detail, sourceLine: null }));
    }
  }
  return { events, accepted, rejected: drawn.length - accepted };
}
