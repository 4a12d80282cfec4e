/**
 * What the proposers of an iteration are asked: `batch` prompts of every kind, from the buffer as the iteration found it.
 * Pure: every draw is a function of its coordinates.
 */
import { idOf, seedOf } from '../coordinates.js';
import { Random } from '../random.js';
import { drawFitting, generatorsOf } from '../buffer/draw-fitting.js';
import { drawFunctions } from '../buffer/draw-functions.js';
import { drawProgramTask, drawReferences, PROGRAM_KINDS } from '../buffer/sampling.js';
import type { BufferedTask, TaskBuffer } from '../buffer/task-buffer.js';
import type { RunConfig } from '../config/run.js';
import { batchOfKind } from '../config/batch-of-kind.js';
import { proposedKinds } from '../config/seeding-iterations.js';
import type { PolicyCodec, Prompt } from '../policy/codec.js';
import type { ProposePrompt } from '../policy/text/codec.js';
import * as programReader from '../policy/text/program.js';
import { compositeOdds } from '../tasks/composite.js';
import { taskKinds } from '../tasks/index.js';
import { TASK_KINDS, type TaskKind } from '../tasks/types.js';
import type { Place, StepContext } from '../../workflows/types.js';
import { unlessTooLong } from './unless-too-long.js';

export interface PlannedProposal {
  readonly proposalId: string;
  readonly kind: TaskKind;
  readonly index: number;
  readonly prompt: Prompt;
  readonly referenceTaskIds: readonly string[];
  readonly compositeTaskIds: readonly string[];
  readonly programTaskId: string | null;
  readonly program: string | null;
  readonly seed: number;
}

export function planProposals(
  context: Place & Pick<StepContext, 'kinds'>,
  config: RunConfig,
  buffer: TaskBuffer,
  promptOf: PolicyCodec['proposePrompt'],
): PlannedProposal[] {
  const { references: count, referenceSampling } = config.propose;
  const odds = compositeOdds(config.propose.composite, context.iteration);
  const { runId } = context.run;
  const { kinds = proposedKinds(config, context.iteration) } = context;
  return TASK_KINDS.filter((kind) => kinds.includes(kind)).flatMap((kind) => {
    /** Of a program that inputs are written for; undefined where it is too long. Many proposals are about the same few. */
    const prompts = new Map<string, Prompt | undefined>();
    const promptFor = ({ code }: BufferedTask): Prompt | undefined => {
      if (!prompts.has(code))
        prompts.set(
          code,
          unlessTooLong(() => promptOf(kind, [], code)),
        );
      return prompts.get(code);
    };
    return Array.from(
      { length: batchOfKind(config.propose, kind) },
      (_, index): PlannedProposal | undefined => {
        const seedFor = (what: string | number): number =>
          seedOf(config.seed, context.iteration, 'propose', kind, index, what);
        const randomOf = generatorsOf(seedFor('references'));
        const material = taskKinds[kind].propose<BufferedTask>({
          references: () => drawReferences(buffer, kind, count, referenceSampling, randomOf(0)),
          program: () =>
            drawFitting(
              buffer,
              PROGRAM_KINDS,
              (left, random) => {
                const task = drawProgramTask(left, referenceSampling, random);
                return task === undefined ? [] : [task];
              },
              (task) => promptFor(task) !== undefined,
              randomOf,
            )[0],
        });
        if (material === undefined) return undefined;
        const { program } = material;
        const random = new Random(seedFor('functions'));
        const { functions, references } = drawFunctions(material.references, odds, random, programReader);
        const prompt =
          (program === null ? undefined : promptFor(program)) ??
          promptOf(
            kind,
            references.map(({ code, inputs, outputs }) => ({
              code,
              input: inputs[0] ?? '',
              output: outputs[0] ?? '',
            })),
            program?.code ?? null,
            functions.map(({ definition }) => definition),
          );
        return {
          proposalId: idOf(runId, context.iteration, 'proposal', kind, index),
          kind,
          index,
          prompt,
          referenceTaskIds: shownOf(prompt, references).map((task) => task.taskId),
          compositeTaskIds: functions.map(({ taskId }) => taskId),
          programTaskId: program?.taskId ?? null,
          program: program?.code ?? null,
          seed: seedFor(0),
        };
      },
    ).filter((planned) => planned !== undefined);
  });
}

/** Text prompts leave out references that do not fit, and say which they show. */
function shownOf<T>(prompt: Prompt & Partial<ProposePrompt>, references: readonly T[]): readonly T[] {
  return prompt.shownReferences?.flatMap((place) => references[place] ?? []) ?? references;
}
