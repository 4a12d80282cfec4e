/** The proposer's turn: one completion for each of the iteration's prompts (plan-proposals.ts). */
import { seedPool } from '../buffer/seed-pool.js';
import type { RolloutSteps } from '../../workflows/steps.js';
import type { RolloutDependencies } from './dependencies.js';
import { drawSettings } from './draw-settings.js';
import { earlierFacts } from './earlier.js';
import { fact, originOf } from './facts.js';
import { noProposals } from './generate-tasks.js';
import { withHeartbeat } from './heartbeat.js';
import { planProposals } from './plan-proposals.js';
import { finishOf, sampleInChunks } from './sample-in-chunks.js';

export function makePropose(dependencies: RolloutDependencies): RolloutSteps['propose'] {
  const { log, configs, buffers, engine, codecs, codeVersion } = dependencies;
  return (context) =>
    withHeartbeat(async (signal, report) => {
      const config = await configs.of(context.run);
      const codec = await codecs.of(config);
      if (config.propose.source === 'uniform') return { proposals: noProposals(context) };
      const whole = await buffers.at(context.run, context.since);
      const buffer = context.seeding === true ? seedPool(whole) : whole;
      const plan = planProposals(context, config, buffer, codec.proposePrompt.bind(codec));
      const at = { runId: context.run.runId, iteration: context.iteration };
      const earlier = await earlierFacts(log, 'ProposalSampled', at, context.since);
      const done = new Set(earlier.map((event) => event.data.proposalId));
      const origin = originOf(context, codeVersion);
      const fresh = await sampleInChunks(
        engine,
        context.checkpoint,
        plan
          .filter((planned) => !done.has(planned.proposalId))
          .map((planned) => ({
            item: planned,
            requests: [
              {
                id: planned.proposalId,
                prompt: planned.prompt.tokens,
                seed: planned.seed,
                ...drawSettings(config, config.propose.temperature),
                maxTokens: planned.prompt.maxTokens,
                ...(planned.prompt.grammar === undefined ? {} : { grammar: planned.prompt.grammar }),
              },
            ],
          })),
        (planned, [sample]) => {
          if (sample === undefined) throw new Error(`no sample for proposal ${planned.proposalId}`);
          return fact(origin, 'ProposalSampled', [planned.proposalId], {
            proposalId: planned.proposalId,
            kind: planned.kind,
            index: planned.index,
            templateVersion: codec.templateVersion,
            promptText: planned.prompt.text,
            promptTokens: planned.prompt.tokens,
            referenceTaskIds: planned.referenceTaskIds,
            completionText: codec.text(sample.tokens),
            completionTokens: sample.tokens,
            logProbs: sample.logProbs,
            finish: finishOf(sample),
            seed: planned.seed,
            temperature: config.propose.temperature,
            programTaskId: planned.programTaskId,
            programSource: planned.program,
            compositeTaskIds: planned.compositeTaskIds,
          });
        },
        async (events) => {
          await log.append(events, context.since);
        },
        { signal, report, tokenTexts: codec.tokenTexts },
      );
      const [proposals] = await log.append([...earlier, ...fresh], context.since);
      if (proposals === undefined) throw new Error(`iteration ${context.iteration} made no proposal`);
      return { proposals };
    });
}
