/**
 * Which requests are sampled together: equal prompts share one, prompts of like length and grammar share a batch, so that
 * a batch ends when all of it ends.
 */
import type { ModelSpec, Sample, SampleRequest } from '../port.js';
import { startState } from './microbatch.js';
import type { Native, NativeTensor } from './native.js';
import type { SamplingProgram } from './sampling-graph.js';
import { fillUniforms } from './uniforms.js';

export interface SamplingBatch {
  readonly promptLength: number;
  /** Completions of each prompt. */
  readonly samples: number;
  readonly steps: number;
  readonly temperature: number;
  /** Indices of requests: `samples` of each prompt in a row. */
  readonly indices: readonly number[];
}

/** Completions at once: more do not go faster on two cores, fewer leave them idle. */
const BATCH_ROWS = 512;
/** Prompt lengths that graphs are built for. */
const PROMPT_STEP = 8;
/** Completions that may share a prompt in a graph. */
const SHARES = [16, 8, 4, 2, 1] as const;

export function planSampling(spec: ModelSpec, requests: readonly SampleRequest[]): SamplingBatch[] {
  const byPrompt = new Map<string, number[]>();
  requests.forEach((request, index) => {
    if (request.prompt.length === 0) throw new RangeError(`prompt of ${request.id} is empty; at least one token is needed`);
    if (request.prompt.length + request.maxTokens > spec.context)
      throw new RangeError(
        `${request.id} has a prompt of ${request.prompt.length} tokens and maxTokens ${request.maxTokens}; accepted is a sum of at most context, ${spec.context}`,
      );
    const key = JSON.stringify([request.grammar, request.maxTokens, request.temperature, request.prompt]);
    const list = byPrompt.get(key);
    if (list === undefined) byPrompt.set(key, [index]);
    else list.push(index);
  });

  // Chunks of 16, 8, 4, 2 or 1 requests with the same prompt, sorted into batches of one shape.
  const byShape = new Map<string, { shape: Omit<SamplingBatch, 'indices'>; chunks: { key: string; indices: number[] }[] }>();
  for (const indices of byPrompt.values()) {
    const first = requests[indices[0] ?? 0];
    if (first === undefined) continue;
    const promptLength = Math.ceil(first.prompt.length / PROMPT_STEP) * PROMPT_STEP;
    let at = 0;
    for (const samples of SHARES)
      while (indices.length - at >= samples) {
        const shape = { promptLength, samples, steps: first.maxTokens, temperature: first.temperature };
        const id = JSON.stringify(shape);
        const entry = byShape.get(id) ?? { shape, chunks: [] };
        byShape.set(id, entry);
        entry.chunks.push({
          key: `${first.grammar ?? ''} ${String(first.prompt.length).padStart(6)}`,
          indices: indices.slice(at, at + samples),
        });
        at += samples;
      }
  }
  return [...byShape.values()].flatMap(({ shape, chunks }) => {
    const sorted = [...chunks].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const perBatch = Math.max(1, Math.floor(BATCH_ROWS / shape.samples));
    const batches: SamplingBatch[] = [];
    for (let at = 0; at < sorted.length; at += perBatch)
      batches.push({ ...shape, indices: sorted.slice(at, at + perBatch).flatMap(({ indices }) => indices) });
    return batches;
  });
}

/** Samples of one batch by request index. */
export function* runSampling(
  native: Native,
  spec: ModelSpec,
  program: SamplingProgram,
  parameters: readonly NativeTensor[],
  requests: readonly SampleRequest[],
  batch: SamplingBatch,
): Generator<[number, Sample]> {
  const { promptLength: p, samples: g, steps } = batch;
  const rows = batch.indices.map((index) => {
    const request = requests[index];
    if (request === undefined) throw new RangeError(`request ${index} does not exist`);
    return request;
  });
  const u = rows.length / g;
  const prompts = new Int32Array(u * p).fill(spec.padToken);
  const lengths = new Int32Array(u);
  const states = new Int32Array(rows.length);
  const uniforms = new Float32Array(rows.length * steps);
  rows.forEach((request, r) => {
    if (r % g === 0) {
      prompts.set(request.prompt, (r / g) * p);
      lengths[r / g] = request.prompt.length;
    }
    states[r] = startState(spec, request.grammar, request.id);
    fillUniforms(uniforms, r * steps, steps, request.seed);
  });
  const greedy = batch.temperature === 0;
  const inputs = {
    prompts: native.create(prompts, [u, p]),
    lengths: native.create(lengths, [u]),
    states: native.create(states, [rows.length]),
    uniforms: native.create(uniforms, [rows.length, steps]),
    settings: native.create(Float32Array.of(greedy ? 1 : 1 / batch.temperature, greedy ? 1 : 0), [2]),
  };
  const { turns, tokens, logProbs } = program.run(native, parameters, inputs);
  native.delete(...Object.values(inputs));
  for (const [r, index] of batch.indices.entries()) {
    const request = rows[r];
    if (request === undefined) continue;
    const drawn: number[] = [];
    const logs: number[] = [];
    let ended = false;
    for (let t = 0; t < turns && !ended; t++) {
      const token = tokens[t * rows.length + r] ?? spec.padToken;
      drawn.push(token);
      logs.push(logProbs[t * rows.length + r] ?? 0);
      ended = token === spec.endToken;
    }
    yield [index, { id: request.id, tokens: drawn, logProbs: logs, finish: ended ? 'end' : 'length' }];
  }
}
