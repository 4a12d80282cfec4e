/**
 * The solver's turn: rollouts that estimate the learnability of this iteration's accepted tasks, and attempts at tasks
 * drawn from the buffer, this iteration's included (the paper's order) or not (the published one: schedule.solverTasks).
 */
import { idOf, seedOf } from '../coordinates.js';
import { drawFitting, generatorsOf } from '../buffer/draw-fitting.js';
import { drawSolverTasks } from '../buffer/sampling.js';
import type { TaskBuffer } from '../buffer/task-buffer.js';
import type { RunConfig } from '../config/run.js';
import type { Prompt } from '../policy/codec.js';
import { taskKinds } from '../tasks/index.js';
import { TASK_KINDS, type SolverView, type Task, type TaskKind } from '../tasks/types.js';
import type { RolloutSteps } from '../../workflows/steps.js';
import type { StepContext } from '../../workflows/types.js';
import type { RolloutDependencies } from './dependencies.js';
import { earlierFacts } from './earlier.js';
import { dataOf, fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { after } from './offsets.js';
import { finishOf, sampleInChunks } from './sample-in-chunks.js';
import { unlessTooLong } from './unless-too-long.js';

export type SolvePurpose = 'learnability' | 'solve';

interface PlannedGroup {
  readonly groupId: string;
  readonly purpose: SolvePurpose;
  readonly index: number;
  readonly task: Task;
  readonly view: SolverView;
  readonly prompt: Prompt;
  readonly samples: number;
}

export function makeSolve(dependencies: RolloutDependencies): RolloutSteps['solve'] {
  const { log, configs, buffers, engine, codecs, codeVersion } = dependencies;
  return (context, facts) =>
    withHeartbeat(async (signal, report) => {
      const config = await configs.of(context.run);
      const codec = await codecs.of(config);
      const accepted = dataOf(await log.read(facts.tasks), 'TaskAccepted');
      const ownTasksToo = config.schedule.solverTasks === 'this_iteration';
      const buffer = await buffers.at(
        context.run,
        ownTasksToo ? after(context.since, facts.tasks) : context.since,
      );
      const plan = planGroups(
        context,
        config,
        accepted.map((task) => ({ ...task, kind: task.kind })),
        buffer,
        codec.solvePrompt.bind(codec),
      );
      const at = { runId: context.run.runId, iteration: context.iteration };
      const earlier = await earlierFacts(log, 'SolutionSampled', at, context.since);
      const done = new Set(earlier.map((event) => event.data.groupId));
      const origin = originOf(context, codeVersion);
      const temperature = config.solve.temperature;
      const planned = plan
        .filter((group) => !done.has(group.groupId))
        .map((group) => {
          const { prompt } = group;
          const seeds = Array.from({ length: group.samples }, (_, sample) =>
            seedOf(config.seed, context.iteration, group.purpose, group.task.kind, group.index, sample),
          );
          return {
            item: { ...group, seeds },
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
                finish: finishOf(sample),
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
        throw new Error(
          `iteration ${context.iteration} has no task to solve: it accepted none, and the buffer that its solver draws from is empty`,
        );
      return { solutions };
    });
}

function planGroups(
  context: StepContext,
  config: RunConfig,
  accepted: readonly Task[],
  buffer: TaskBuffer,
  promptOf: (kind: TaskKind, view: SolverView) => Prompt,
): PlannedGroup[] {
  const { runId } = context.run;
  /** Undefined for a task that is too long to be asked. */
  const asked = new Map<string, { readonly view: SolverView; readonly prompt: Prompt } | undefined>();
  const ask = (task: Task): { readonly view: SolverView; readonly prompt: Prompt } | undefined => {
    if (!asked.has(task.taskId)) {
      const view = taskKinds[task.kind].solve(task);
      const prompt = unlessTooLong(() => promptOf(task.kind, view));
      asked.set(task.taskId, prompt === undefined ? undefined : { view, prompt });
    }
    return asked.get(task.taskId);
  };
  const group = (purpose: SolvePurpose, task: Task, index: number, samples: number): PlannedGroup[] => {
    const question = ask(task);
    if (question === undefined) return [];
    const groupId = idOf(runId, context.iteration, 'group', purpose, task.kind, index);
    return [{ groupId, purpose, index, task, ...question, samples }];
  };
  const newest = context.iteration - (config.schedule.solverTasks === 'this_iteration' ? 0 : 1);
  return TASK_KINDS.filter((kind) => config.propose.kinds.includes(kind)).flatMap((kind) => {
    const randomOf = generatorsOf(seedOf(config.seed, context.iteration, 'solve', kind, 'tasks'));
    const { batch, mixing, samplesPerTask } = config.solve;
    const own = accepted.filter((task) => task.kind === kind);
    // Generated tasks have no proposer whose reward would rest on rollouts; they are what this iteration is about.
    if (config.propose.source === 'uniform')
      return own.flatMap((task, index) => group('solve', task, index, samplesPerTask));
    const drawn = drawFitting(
      buffer,
      [kind],
      (left, random) => drawSolverTasks(left, kind, batch, mixing, newest, random),
      (task) => ask(task) !== undefined,
      randomOf,
    );
    return [
      // A task too long to be asked has no rollouts, and so learnability 0.
      ...own.flatMap((task, index) => group('learnability', task, index, config.learnability.samples)),
      ...drawn.flatMap((task, index) => group('solve', task, index, samplesPerTask)),
    ];
  });
}
