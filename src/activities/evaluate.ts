/** Greedy answers to the held-out tasks, judged like any solver's answer. */
import { idOf } from '../coordinates.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { heldOutOf, TINY_HELD_OUT } from '../evaluation/tiny-held-out.js';
import { judgeMany } from '../sandbox/index.js';
import { taskKinds } from '../tasks/index.js';
import { PAPER_KINDS, type TaskKind } from '../tasks/types.js';
import type { EvaluateSteps } from '../../workflows/steps.js';
import type { ScoreLine } from '../../workflows/types.js';
import type { EvaluateDependencies } from './dependencies.js';
import { stopStrings } from './draw-settings.js';
import { fact, originOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';

export function makeEvaluate(dependencies: EvaluateDependencies): EvaluateSteps['evaluate'] {
  const { log, configs, engine, codecs, sandbox, codeVersion } = dependencies;
  return (context) =>
    withHeartbeat(async (signal, report) => {
      const began = Date.now();
      const config = await configs.of(context.run);
      const codec = await codecs.of(config);
      const examples = heldOutOf(config);
      const prompts = examples.map(({ task }) =>
        codec.solvePrompt(task.kind, taskKinds[task.kind].solve(task)),
      );
      const samples = await engine.sample(
        context.checkpoint,
        examples.map(({ task }, i) => {
          const prompt = prompts[i];
          if (prompt === undefined) throw new Error(`no prompt for ${task.taskId}`);
          return {
            id: task.taskId,
            prompt: prompt.tokens,
            seed: 0,
            temperature: 0,
            ...stopStrings(config),
            maxTokens: prompt.maxTokens,
            ...(prompt.grammar === undefined ? {} : { grammar: prompt.grammar }),
          };
        }),
        {
          signal,
          onProgress: (tokens) => report({ tokens }),
          ...(codec.tokenTexts === undefined ? {} : { tokenTexts: codec.tokenTexts }),
        },
      );
      const answers = examples.map(({ task }, i) => {
        const sample = samples[i];
        return sample === undefined ? null : codec.parseSolution(task.kind, sample).answer;
      });
      const { verdicts } = await judgeMany(
        sandbox,
        examples.flatMap(({ task }, i) => {
          const answer = answers[i] ?? null;
          return answer === null
            ? []
            : [{ id: task.taskId, ...taskKinds[task.kind].verify.question(task, answer) }];
        }),
      );
      const verdictOf = new Map(verdicts.map((verdict) => [verdict.id, verdict]));

      const origin = originOf(context, codeVersion);
      const evaluationId = idOf(context.run.runId, context.iteration, 'evaluation', TINY_HELD_OUT);
      const scores = new Map<string, { kind: TaskKind; bucket: string; count: number; correct: number }>();
      for (const kind of PAPER_KINDS)
        for (const { task, bucket } of examples)
          if (task.kind === kind) scores.set(`${kind}/${bucket}`, { kind, bucket, count: 0, correct: 0 });
      const events: AzrEvent[] = examples.map(({ task, bucket }, i) => {
        const correct = verdictOf.get(task.taskId)?.correct ?? false;
        const score = scores.get(`${task.kind}/${bucket}`);
        if (score !== undefined) {
          score.count += 1;
          score.correct += correct ? 1 : 0;
        }
        const sample = samples[i];
        return fact(origin, 'ExampleEvaluated', [evaluationId, task.taskId], {
          evaluationId,
          benchmark: TINY_HELD_OUT,
          exampleId: task.taskId,
          kind: task.kind,
          bucket,
          code: task.code,
          promptTokens: prompts[i]?.tokens ?? [],
          completionText: codec.text(sample?.tokens ?? []),
          completionTokens: sample?.tokens ?? [],
          answer: answers[i] ?? null,
          expected:
            task.kind === 'deduction'
              ? (task.outputs[0] ?? '')
              : task.kind === 'abduction'
                ? (task.inputs[0] ?? '')
                : task.code,
          correct,
          reason: verdictOf.get(task.taskId)?.reason ?? 'no-answer',
        });
      });
      events.push(
        fact(origin, 'EvaluationCompleted', [evaluationId], {
          evaluationId,
          checkpointVersion: context.checkpoint.version,
          checkpointDigest: context.checkpoint.digest,
          benchmark: TINY_HELD_OUT,
          scores: [...scores.values()],
          durationMs: Date.now() - began,
        }),
      );
      await log.append(events, context.since);
      const lines: ScoreLine[] = [...scores.values()].map((score) => ({
        iteration: context.iteration,
        ...score,
      }));
      return { scores: lines };
    });
}
