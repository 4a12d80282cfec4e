/** How much of sampling is done at a time: rows by memory, tokens by the time that a cancellation may have to wait. */
import type { ModelSpec, SampleRequest } from '../port.js';
import { sizeOf } from '../shape.js';
import { attentionShape, parameterShapes } from './parameters.js';

/** Completions at once: more do not go faster on two cores, fewer leave the fixed cost of a turn on fewer tokens. */
export const BATCH_ROWS = 512;
/** For caches and for rows as long as the vocabulary. */
const BATCH_BYTES = 2 ** 31;
/** Rows as long as the vocabulary that a turn holds: logits, probabilities, their sums. */
const VOCABULARY_ROWS = 8;
/** Multiplications and additions in one call of the session: about a quarter of a second of two cores. */
const CALL_FLOPS = 2e10;
/** Turns a call: fewer let rows leave earlier, more spread the call's fixed cost. */
const TURNS = 4;
/** Tokens of a prompt that go through together at least. */
const LEAST_CHUNK = 16;

/** A token's way through the layers and the output matrix: two operations a weight. */
function flopsPerToken(spec: ModelSpec): number {
  const weights = parameterShapes(spec).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const embedding = spec.untied === true ? spec.vocabulary * spec.width : 0;
  return 2 * (weights - embedding);
}

export interface SamplingBudget {
  /** Rows that have room together, each with a cache of its own. */
  readonly rows: (requests: readonly SampleRequest[]) => number;
  /** Turns of one call of the decoder. */
  readonly turns: (rows: number) => number;
  /** Tokens of each of `prompts` in one call of the prefill. */
  readonly chunk: (prompts: number) => number;
}

export function samplingBudget(spec: ModelSpec): SamplingBudget {
  const flops = flopsPerToken(spec);
  return {
    rows: (requests) => {
      const row = bytesPerRow(spec, requests);
      return Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_BYTES / row)));
    },
    turns: (rows) => Math.max(1, Math.min(TURNS, Math.floor(CALL_FLOPS / (flops * rows)))),
    chunk: (prompts) => Math.max(LEAST_CHUNK, Math.floor(CALL_FLOPS / (flops * prompts))),
  };
}

function bytesPerRow(spec: ModelSpec, requests: readonly SampleRequest[]): number {
  const { headWidth, keyValueHeads } = attentionShape(spec);
  const longest = requests.reduce(
    (max, { prompt, maxTokens }) => Math.max(max, prompt.length + maxTokens),
    1,
  );
  return 4 * (longest * 2 * spec.layers * keyValueHeads * headWidth + VOCABULARY_ROWS * spec.vocabulary);
}
