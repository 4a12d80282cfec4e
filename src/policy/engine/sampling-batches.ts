/** Which requests are sampled together: equal prompts share one, prompts of like kind and length share a batch. */
import type { ModelSpec, SampleRequest, TokenTexts } from '../port.js';
import { checkTokens, startState } from './grammar-states.js';
import { BATCH_ROWS } from './sampling-budget.js';

export interface SamplingBatch {
  /** Completions of each prompt. */
  readonly share: number;
  /** Indices of requests: `share` of each prompt in a row. */
  readonly indices: readonly number[];
}

/** Completions that may share a prompt. */
const SHARES = [16, 8, 4, 2, 1] as const;

/** @param batchRows rows of a batch at most, from 1. */
export function planSampling(requests: readonly SampleRequest[], batchRows = BATCH_ROWS): SamplingBatch[] {
  const byPrompt = new Map<string, number[]>();
  requests.forEach((request, index) => {
    const key = `${request.grammar ?? ''} ${request.prompt.join(' ')}`;
    const list = byPrompt.get(key);
    if (list === undefined) byPrompt.set(key, [index]);
    else list.push(index);
  });
  const chunks = new Map<number, { grammar: string; length: number; indices: number[] }[]>();
  for (const indices of byPrompt.values()) {
    const first = requests[indices[0] ?? 0];
    if (first === undefined) continue;
    let at = 0;
    for (const share of SHARES.filter((share) => share <= batchRows))
      for (; indices.length - at >= share; at += share) {
        const list = chunks.get(share) ?? [];
        chunks.set(share, list);
        list.push({
          grammar: first.grammar ?? '',
          length: first.prompt.length,
          indices: indices.slice(at, at + share),
        });
      }
  }
  return [...chunks].flatMap(([share, list]) => {
    const sorted = [...list].sort((a, b) =>
      a.grammar === b.grammar ? a.length - b.length : a.grammar < b.grammar ? -1 : 1,
    );
    // Batches of equal size: a small last one would pay for its turns alone.
    const count = Math.ceil(sorted.length / Math.floor(batchRows / share));
    return Array.from({ length: count }, (_, i) => {
      const [begin, end] = [i, i + 1].map((k) => Math.floor((k * sorted.length) / count));
      return { share, indices: sorted.slice(begin, end).flatMap(({ indices }) => indices) };
    });
  });
}

/** Whether a request asks for top-k, top-p or min-p. */
export function truncates({ topK, topP, minP }: SampleRequest): boolean {
  return topK !== undefined || (topP ?? 1) < 1 || (minP ?? 0) > 0;
}

/** @throws RangeError for a request that the model cannot serve, with its id. */
export function checkRequest(spec: ModelSpec, request: SampleRequest, tokenTexts?: TokenTexts): void {
  const { id, prompt, maxTokens, temperature, seed, topK, topP, minP, stop } = request;
  if (prompt.length === 0) throw new RangeError(`prompt of ${id} is empty; at least one token is needed`);
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    throw new RangeError(`maxTokens of ${id} is ${maxTokens}; accepted are integers from 1`);
  if (prompt.length + maxTokens > spec.context)
    throw new RangeError(
      `${id} has a prompt of ${prompt.length} tokens and maxTokens ${maxTokens}; accepted is a sum of at most context, ${spec.context}`,
    );
  if (!Number.isFinite(temperature) || temperature < 0)
    throw new RangeError(
      `temperature of ${id} is ${temperature}; accepted are numbers from 0, which is greedy`,
    );
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`seed of ${id} is ${seed}; accepted are safe integers`);
  if (topK !== undefined && (!Number.isInteger(topK) || topK < 1))
    throw new RangeError(`topK of ${id} is ${topK}; accepted are integers from 1, or none`);
  if (topP !== undefined && !(topP > 0 && topP <= 1))
    throw new RangeError(`topP of ${id} is ${topP}; accepted are numbers above 0 and up to 1, which is off`);
  if (minP !== undefined && !(minP >= 0 && minP <= 1))
    throw new RangeError(`minP of ${id} is ${minP}; accepted are numbers from 0, which is off, to 1`);
  if (stop?.includes('') === true)
    throw new RangeError(
      `stop of ${id} holds an empty string; accepted are strings of at least one character`,
    );
  if (stop !== undefined && stop.length > 0 && tokenTexts === undefined)
    throw new RangeError(`stop of ${id} is given without tokenTexts; accepted are both, or no stop strings`);
  checkTokens(spec, prompt, `prompt of ${id}`);
  startState(spec, request.grammar, id);
}
