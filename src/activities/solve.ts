/** The solver's turn: the completions of an iteration's groups of attempts (plan-solving.ts), read by the policy's codec. */
import { seedOf } from '../coordinates.js';
import type { RolloutSteps } from '../../workflows/steps.js';
import type { RolloutDependencies } from './dependencies.js';
import { drawSettings } from './draw-settings.js';
import { earlierFacts } from './earlier.js';
import { dataOf, fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { after } from './offsets.js';
import { drawsOwnTasks, planGroups } from './plan-solving.js';
import { finishOf, sampleInChunks } from './sample-in-chunks.js';

export function makeSolve(dependencies: RolloutDependencies): RolloutSteps['solve'] {
  const { log, configs, buffers, engine, codecs, codeVersion } = dependencies;
  return (context, facts) =>
    withHeartbeat(async (signal, report) => {
      const config = await configs.of(context.run);
      const codec = await codecs.of(config);
      const accepted = dataOf(await log.read(facts.tasks), 'TaskAccepted');
      const buffer = await buffers.at(
        context.run,
        drawsOwnTasks(config) ? after(context.since, facts.tasks) : context.since,
      );
      const plan = planGroups(context, config, accepted, buffer, codec.solvePrompt.bind(codec));
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
              ...drawSettings(config, temperature),
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
        { signal, report, tokenTexts: codec.tokenTexts },
      );
      const [solutions] = await log.append([...earlier, ...fresh], context.since);
      if (solutions === undefined)
        throw new Error(
          `iteration ${context.iteration} has no task to solve: it accepted none, and the buffer that its solver draws from is empty`,
        );
      return { solutions };
    });
}
