/**
 * Proposals become tasks or rejections: parsed by the policy's codec, executed in the sandbox under several seeds, then
 * held against the buffer's rules for repeats, in the order of their coordinates.
 */
import { idOf } from '../coordinates.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import { functionsOf } from '../buffer/draw-functions.js';
import { seedKind, seedPool, seedRepeats } from '../buffer/seed-pool.js';
import { repeatReason, type TaskBuffer } from '../buffer/task-buffer.js';
import * as programReader from '../policy/text/program.js';
import { isHeldOutText } from '../policy/tiny/generator.js';
import { measureTasks, type MeasuredTask } from '../reward/intrinsic/measure-tasks.js';
import { HELD_OUT_REASON } from '../reward/iteration-rewards.js';
import { refuseComposites, treesIn, validateProposals } from '../sandbox/index.js';
import { composedProgram } from '../tasks/composite.js';
import type { ParsedProposal, TaskKind } from '../tasks/types.js';
import type { SandboxSteps } from '../../workflows/steps.js';
import type { EventReference, StepContext } from '../../workflows/types.js';
import type { SandboxDependencies } from './dependencies.js';
import { executionFact } from './execution-fact.js';
import { dataOf, fact, originOf } from './facts.js';
import { generateTasks } from './generate-tasks.js';
import { withHeartbeat } from './heartbeat.js';

const topicOfTasks = topicOf('TaskAccepted');

type Proposal = EventDataByType['ProposalSampled'];
type Parsed = Extract<ParsedProposal, { ok: true }>;

export function makeValidate(dependencies: SandboxDependencies): SandboxSteps['validate'] {
  const { log, configs, buffers, sandbox, codecs, codeVersion } = dependencies;
  return (context, facts) =>
    withHeartbeat(async () => {
      const config = await configs.of(context.run);
      const codec = await codecs.of(config);
      const origin = originOf(context, codeVersion);
      if (config.propose.source === 'uniform') {
        const { events: generated, ...counts } = await generateTasks(sandbox, config, context, origin);
        return { tasks: tasksAmong(await log.append(generated, context.since), context), ...counts };
      }
      const proposals = dataOf(await log.read(facts.proposals), 'ProposalSampled');
      const whole = await buffers.at(context.run, context.since);
      const seeding = context.seeding === true;
      const buffer = seeding ? seedPool(whole) : whole;
      const repeats = seeding ? seedRepeats(config.buffer) : config.buffer;

      const events: AzrEvent[] = [];
      const reject = (
        proposal: Proposal,
        reason: string,
        detail: string,
        formatOk: boolean,
        code: string | null,
      ): void => {
        const { proposalId, kind, index } = proposal;
        events.push(
          fact(
            origin,
            'TaskRejected',
            [proposalId],
            {
              subjectId: proposalId,
              proposalId,
              origin: 'proposal',
              kind,
              index,
              reason,
              detail,
              formatOk,
              code,
              sourceLine: null,
            },
            proposalId,
          ),
        );
      };

      const readable: { proposal: Proposal; parsed: Parsed; definitions: readonly string[] }[] = [];
      for (const proposal of proposals) {
        const completion = { tokens: proposal.completionTokens, finish: proposal.finish };
        const definitions = givenDefinitions(proposal, buffer);
        const parsed = codec.parseProposal(proposal.kind, completion, proposal.programSource, definitions);
        if (parsed.ok) readable.push({ proposal, parsed, definitions });
        else reject(proposal, parsed.reason, parsed.detail, parsed.formatOk, null);
      }
      const composites = await refuseComposites(
        sandbox,
        readable.map(({ parsed, definitions }) => ({ program: parsed.code, definitions })),
      );
      const candidates: { proposal: Proposal; parsed: Parsed }[] = [];
      for (const [i, { proposal, parsed: alone, definitions }] of readable.entries()) {
        const parsed = withDefinitions(alone, definitions);
        const refusal = composites[i];
        if (refusal !== undefined)
          reject(proposal, refusal.reason, refusal.detail, parsed.formatOk, parsed.code);
        else if (parsed.inputs.some((input) => isHeldOutText(parsed.code, input)))
          reject(proposal, HELD_OUT_REASON, 'belongs to the evaluation', parsed.formatOk, parsed.code);
        else candidates.push({ proposal, parsed });
      }

      const { results, executions } = await validateProposals(
        sandbox,
        candidates.map(({ proposal, parsed }) => ({
          id: proposal.proposalId,
          code: parsed.code,
          inputs: parsed.inputs,
          kind: proposal.kind,
        })),
        { policy: config.sandbox.policy, bannedErrorKeywords: config.propose.bannedErrorKeywords },
      );
      for (const { request, result } of executions)
        events.push(executionFact(origin, 'validate', request.id, request, result, sandbox.interpreter));

      const accepted: { kind: TaskKind; code: string; inputs: readonly string[] }[] = [];
      const toMeasure: MeasuredTask[] = [];
      for (const [i, { proposal, parsed }] of candidates.entries()) {
        const result = results[i];
        const kind = proposal.kind;
        if (result === undefined) throw new Error(`no result for proposal ${proposal.proposalId}`);
        if (!result.ok) {
          reject(proposal, result.reason, result.detail, parsed.formatOk, parsed.code);
          continue;
        }
        const content = { kind: seeding ? seedKind(kind) : kind, code: parsed.code, inputs: parsed.inputs };
        const repeat = repeatReason(buffer, accepted, content, repeats);
        if (repeat !== undefined) {
          reject(proposal, repeat, 'the buffer has it already', parsed.formatOk, parsed.code);
          continue;
        }
        accepted.push(content);
        const taskId = idOf(proposal.proposalId, 'task');
        toMeasure.push({
          ...content,
          proposalId: proposal.proposalId,
          taskId,
          code: parsed.originalCode,
          outputs: result.outputs,
          references: proposal.referenceTaskIds.flatMap((id) => buffer.byId.get(id)?.originalCode ?? []),
        });
        events.push(
          fact(
            origin,
            'TaskAccepted',
            [proposal.proposalId],
            {
              taskId,
              proposalId: proposal.proposalId,
              origin: 'proposal',
              kind,
              index: proposal.index,
              code: parsed.code,
              originalCode: parsed.originalCode,
              inputs: parsed.inputs,
              outputs: result.outputs,
              message: parsed.message,
              imports: parsed.imports,
              thought: parsed.thought,
              compositeTaskIds: proposal.compositeTaskIds,
              referenceTaskIds:
                proposal.programTaskId === null
                  ? proposal.referenceTaskIds
                  : [...proposal.referenceTaskIds, proposal.programTaskId],
              formatOk: parsed.formatOk,
            },
            proposal.proposalId,
          ),
        );
      }
      const measured = await measureTasks(toMeasure, buffer.types, config.reward.intrinsic, treesIn(sandbox));
      for (const data of measured)
        events.push(fact(origin, 'IntrinsicsMeasured', [data.proposalId], data, data.proposalId));
      const tasks = tasksAmong(await log.append(events, context.since), context);
      return { tasks, accepted: accepted.length, rejected: proposals.length - accepted.length };
    });
}

/** The functions that a proposer was given, as its prompt had them. */
function givenDefinitions(proposal: Proposal, buffer: TaskBuffer): readonly string[] {
  const tasks = proposal.compositeTaskIds.map((taskId) => {
    const task = buffer.byId.get(taskId);
    if (task === undefined)
      throw new Error(`proposal ${proposal.proposalId} was given task ${taskId}, which the log lacks`);
    return task;
  });
  return functionsOf(tasks, programReader).map(({ definition }) => definition);
}

/** What runs and what solvers see: the definitions before the program. */
function withDefinitions(parsed: Parsed, definitions: readonly string[]): Parsed {
  if (definitions.length === 0) return parsed;
  const imports = [...definitions.flatMap(programReader.collectImports), ...parsed.imports];
  return {
    ...parsed,
    code: composedProgram(definitions, parsed.code),
    imports: [...new Set(imports)],
  };
}

function tasksAmong(references: readonly EventReference[], context: StepContext): EventReference {
  const tasks = references.find((reference) => reference.topic === topicOfTasks);
  if (tasks === undefined) throw new Error(`iteration ${context.iteration} has no proposal to validate`);
  return tasks;
}
