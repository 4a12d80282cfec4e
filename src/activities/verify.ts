/** Solvers' answers are judged: deduction by value, abduction and induction by running in the sandbox. */
import type { EventDataByType } from '../../schemas/generated/events.js';
import { topicOf } from '../../pipelines/topics.js';
import { judgeMany } from '../sandbox/index.js';
import { judgeItems } from '../tasks/judge-items.js';
import type { Task } from '../tasks/types.js';
import type { SandboxSteps } from '../../workflows/steps.js';
import type { SandboxDependencies } from './dependencies.js';
import { executionFact } from './execution-fact.js';
import { dataOf, fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { after } from './offsets.js';

const VERDICTS = topicOf('SolutionVerified');

export function makeVerify(dependencies: SandboxDependencies): SandboxSteps['verify'] {
  const { log, buffers, sandbox, codeVersion } = dependencies;
  return (context, facts) =>
    withHeartbeat(async () => {
      const origin = originOf(context, codeVersion);
      const solutions = dataOf(await log.read(facts.solutions), 'SolutionSampled');
      const buffer = await buffers.at(context.run, after(context.since, facts.tasks));
      const taskOf = (solution: EventDataByType['SolutionSampled']): Task => {
        const task = buffer.byId.get(solution.taskId);
        if (task === undefined)
          throw new Error(`group ${solution.groupId} is about task ${solution.taskId}, which the log lacks`);
        return task;
      };
      const { verdicts, executions } = await judgeMany(sandbox, judgeItems(solutions, taskOf));
      const verdictOf = new Map(verdicts.map((verdict) => [verdict.id, verdict]));
      const events = executions.map(({ request, result }) =>
        executionFact(origin, 'verify', request.id, request, result, sandbox.interpreter),
      );
      for (const solution of solutions) {
        events.push(
          fact(
            origin,
            'SolutionVerified',
            [solution.groupId],
            {
              groupId: solution.groupId,
              taskId: solution.taskId,
              kind: solution.kind,
              purpose: solution.purpose,
              attempts: solution.attempts.map(({ sample }) => {
                const verdict = verdictOf.get(`${solution.groupId}/${sample}`);
                return {
                  sample,
                  correct: verdict?.correct ?? false,
                  accuracy: verdict?.accuracy ?? 0,
                  reason: verdict?.reason ?? 'no-answer',
                };
              }),
            },
            solution.groupId,
          ),
        );
      }
      const references = await log.append(events, context.since);
      const verdictsReference = references.find((reference) => reference.topic === VERDICTS);
      if (verdictsReference === undefined)
        throw new Error(`iteration ${context.iteration} has no solution to verify`);
      return {
        verdicts: verdictsReference,
        solutions: solutions.reduce((sum, solution) => sum + solution.attempts.length, 0),
      };
    });
}
