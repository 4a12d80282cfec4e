/**
 * The solver's turn: rollouts that estimate the learnability of this iteration's accepted tasks, and attempts at tasks
 * drawn from the buffer, this iteration's included (the paper's order).
 */
import { idOf, seedOf } from '../coordinates.js';
import { drawSolverTasks } from '../buffer/sampling.js';
import type { TaskBuffer } from '../buffer/task-buffer.js';
import type { RunConfig } from '../config/run.js';
import { Random } from '../random.js';
import { taskKinds } from '../tasks/index.js';
import { TASK_KINDS, type Task, type TaskKind } from '../tasks/types.js';
import type { RolloutSteps } from '../../workflows/steps.js';
import type { StepContext } from '../../workflows/types.js';
import type { RolloutDependencies } from './dependencies.js';
import { earlierFacts } from './earlier.js';
import { dataOf, fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { after } from './offsets.js';
import { sampleInChunks } from './sample-in-chunks.js';

export type SolvePurpose = 'learnability' | 'solve';

interface PlannedGroup {
  readonly groupId: string;
  readonly purpose: SolvePurpose;
  readonly index: number;
  readonly task: Task;
  readonly samples: number;
}

export function makeSolve(dependencies: RolloutDependencies): RolloutSteps['solve'] {
  const { log, configs, buffers, engine, codec, codeVersion } = dependencies;
  return (context, facts) =>
    withHeartbeat(async (signal, report) => {
      const config = await configs.of(context.run);
      const accepted = dataOf(await log.read(facts.tasks), 'TaskAccepted');
      const buffer = await buffers.at(context.run, after(context.since, facts.tasks));
      const plan = planGroups(
        context,
        config,
        accepted.map((task) => ({ ...task, kind: task.kind as TaskKind })),
        buffer,
      );
      const at = { runId: context.run.runId, iteration: context.iteration };
      const earlier = await earlierFacts(log, 'SolutionSampled', at, context.since);
      const done = new Set(earlier.map((event) => event.data.groupId));
      const origin = originOf(context, codeVersion);
      const temperature = config.solve.temperature;
      const planned = plan
        .filter((group) => !done.has(group.groupId))
        .map((group) => {
          const view = taskKinds[group.task.kind].solverView(group.task);
          const prompt = codec.solvePrompt(group.task.kind, view);
          const seeds = Array.from({ length: group.samples }, (_, sample) =>
            seedOf(config.seed, context.iteration, group.purpose, group.task.kind, group.index, sample),
          );
          return {
            item: { ...group, view, prompt, seeds },
            requests: seeds.map((seed, sample) => ({
              id: `${group.groupId}/${sample}`,
              prompt: prompt.tokens,
              seed,
              temperature,
              maxTokens: prompt.maxTokens,
              ...(prompt.grammar === undefined ? {} : { grammar: prompt.grammar }),
            })),
          };
        });
      const fresh = await sampleInChunks(
        engine,
        context.checkpoint,
        planned,
        (group, samples) =>
          fact(origin, 'SolutionSampled', [group.groupId], {
            groupId: group.groupId,
            taskId: group.task.taskId,
            kind: group.task.kind,
            purpose: group.purpose,
            index: group.index,
            templateVersion: codec.templateVersion,
            promptText: group.prompt.text,
            promptTokens: group.prompt.tokens,
            givenPairs: group.view.givenPairs,
            hiddenPairs: group.view.hiddenPairs,
            temperature,
            attempts: samples.map((sample, index) => {
              const { formatOk, thought, answer } = codec.parseSolution(group.task.kind, sample);
              return {
                sample: index,
                seed: group.seeds[index] ?? 0,
                completionText: codec.text(sample.tokens),
                completionTokens: sample.tokens,
                logProbs: sample.logProbs,
                finish: sample.finish,
                thought,
                answer,
                formatOk,
              };
            }),
          }),
        async (events) => {
          await log.append(events, context.since);
        },
        { signal, report },
      );
      const [solutions] = await log.append([...earlier, ...fresh], context.since);
      if (solutions === undefined)
        throw new Error(`iteration ${context.iteration} has no task to solve: no proposal was ever accepted`);
      return { solutions };
    });
}

function planGroups(
  context: StepContext,
  config: RunConfig,
  accepted: readonly Task[],
  buffer: TaskBuffer,
): PlannedGroup[] {
  const { runId } = context.run;
  const group = (purpose: SolvePurpose, task: Task, index: number, samples: number): PlannedGroup => ({
    groupId: idOf(runId, context.iteration, 'group', purpose, task.kind, index),
    purpose,
    index,
    task,
    samples,
  });
  return TASK_KINDS.flatMap((kind) => {
    const random = new Random(seedOf(config.seed, context.iteration, 'solve', kind, 'tasks'));
    const { batch, mixing, samplesPerTask } = config.solve;
    return [
      ...accepted
        .filter((task) => task.kind === kind)
        .map((task, index) => group('learnability', task, index, config.learnability.samples)),
      ...drawSolverTasks(buffer, kind, batch, mixing, context.iteration, random).map((task, index) =>
        group('solve', task, index, samplesPerTask),
      ),
    ];
  });
}
