/** The README.md of an exported model: which run made it, and what was measured of it. */
import type { EventDataByType } from '../../schemas/generated/events.js';

export interface CardFacts {
  readonly runId: string;
  readonly iteration: number;
  readonly preset: string;
  readonly configHash: string;
  readonly checkpointDigest: string;
  /** The model that the run began with, by its name at the hub; null: from nothing. */
  readonly base: string | null;
  /** Of the run up to this iteration, in order. */
  readonly evaluations: readonly {
    readonly iteration: number;
    readonly data: Pick<EventDataByType['EvaluationCompleted'], 'benchmark' | 'scores'>;
  }[];
}

/**
 * Markdown with the hub's metadata block.
 * @param holds what the folder has: the whole model, or the adapters that PEFT loads over the model it began from.
 */
export function modelCard(facts: CardFacts, holds: 'model' | 'adapters' = 'model'): string {
  const { runId, iteration, preset, configHash, checkpointDigest, base, evaluations } = facts;
  const rows = evaluations.flatMap(({ iteration: at, data: { benchmark, scores } }) =>
    scores.map(
      ({ kind, bucket, correct, count }) =>
        `| ${at} | ${benchmark} | ${kind} | ${bucket} | ${correct} of ${count} | ${count === 0 ? '' : ((100 * correct) / count).toFixed(1)} |`,
    ),
  );
  return [
    '---',
    `library_name: ${holds === 'adapters' ? 'peft' : 'transformers'}`,
    ...(base === null ? [] : [`base_model: ${base}`]),
    'tags:',
    '  - absolute-zero',
    '---',
    '',
    `# ${runId} at iteration ${iteration}`,
    '',
    'Trained by self-play (Absolute Zero Reasoner, arXiv 2505.03335): one model proposed tasks and solved them; no outside data.',
    '',
    `- run: ${runId}, iteration ${iteration}, preset ${preset}`,
    `- configuration: SHA-256 ${configHash}`,
    `- checkpoint: SHA-256 of its manifest ${checkpointDigest}`,
    ...(holds === 'adapters'
      ? ['- holds: low-rank adapters, to be loaded over the model that it began from']
      : []),
    `- began from: ${base ?? 'weights drawn at random, and a warm-up on generated programs'}`,
    ...(base === null
      ? [
          '- vocabulary: symbols of a small subset of Python; without the grammar of the run it may write what is no program',
        ]
      : []),
    '',
    '## Evaluations',
    '',
    ...(rows.length === 0
      ? ['None was recorded up to this iteration.']
      : [
          '| iteration | benchmark | kind | bucket | right | % |',
          '| --- | --- | --- | --- | --- | --- |',
          ...rows,
        ]),
    '',
  ].join('\n');
}
