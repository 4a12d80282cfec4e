/**
 * `propose.source: uniform`: an iteration's tasks from the tiny domain's generator, executed in the sandbox like any
 * other. There are no proposals, so none is recorded: a task's origin is `builtin` and its proposal null.
 */
import { createHash } from 'node:crypto';
import type { EventReference } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { tinyPolicy } from '../config/policy.js';
import type { RunConfig } from '../config/run.js';
import { idOf } from '../coordinates.js';
import { uniformTasks } from '../policy/tiny/uniform-tasks.js';
import { validateProposals } from '../sandbox/index.js';
import type { Sandbox } from '../sandbox/port.js';
import type { StepContext } from '../../workflows/types.js';
import { executionFact } from './execution-fact.js';
import { fact, type FactOrigin } from './facts.js';

/** A reference to no proposal at all, which any log holds. */
export function noProposals(context: StepContext): EventReference {
  return {
    topic: topicOf('ProposalSampled'),
    ranges: [],
    selector: { runId: context.run.runId, iteration: context.iteration, types: ['ProposalSampled'] },
    count: 0,
    digest: createHash('sha256').digest('hex'),
  };
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
    config.solve.batch,
    config.propose.uniformLengths,
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
    const common = { proposalId: null, origin: 'builtin', kind, index, formatOk: true } as const;
    if (!result.ok) {
      const { reason, detail } = result;
      const data = { ...common, subjectId, reason, detail, code, sourceLine: null };
      events.push(fact(origin, 'TaskRejected', [subjectId], data));
      continue;
    }
    accepted += 1;
    events.push(
      fact(origin, 'TaskAccepted', [subjectId], {
        ...common,
        taskId: idOf(subjectId, 'task'),
        code,
        originalCode: code,
        inputs,
        outputs: result.outputs,
        message: null,
        imports: [],
        thought: null,
        compositeTaskIds: [],
        referenceTaskIds: [],
      }),
    );
  }
  return { events, accepted, rejected: drawn.length - accepted };
}
