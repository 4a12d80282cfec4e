/**
 * Runs sampling batches: a prefill, then calls of a few turns; between calls finished rows leave.
 *
 * Rows of one prompt share its cache, so at first whole prompts leave, when all their completions have ended. Once few of
 * the remaining rows are live, each keeps a copy of its prompt's cache and only live ones stay.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ModelSpec, Sample, SampleRequest } from '../port.js';
import { startState } from './grammar-states.js';
import { Scope, type Native, type NativeTensor } from './native.js';
import { attentionShape, endTokens } from './parameters.js';
import { checkRequest, planSampling, type SamplingBatch } from './sampling-batches.js';
import { DecodeProgram, PrefillProgram, type DecodeState } from './sampling-graph.js';
import { uniform } from './uniforms.js';

/** Turns a call: fewer let rows leave earlier, more spread the call's fixed cost. */
const TURNS = 4;
/** Below this share of live rows, rows stop sharing prompts. */
const UNSHARE_BELOW = 0.6;
/** Inverse of the smallest temperature that is not greedy. */
const MAX_INVERSE_TEMPERATURE = 1e6;

/** A row of the running batch. */
interface Row {
  /** Of the request. */
  readonly index: number;
  readonly tokens: number[];
  readonly logProbs: number[];
  done: boolean;
  finish: Sample['finish'];
}

export class Sampler {
  readonly #native: Native;
  readonly #spec: ModelSpec;
  readonly #ends: ReadonlySet<number>;
  readonly #prefill: PrefillProgram;
  readonly #decode: DecodeProgram;

  constructor(native: Native, spec: ModelSpec) {
    this.#native = native;
    this.#spec = spec;
    this.#ends = new Set(endTokens(spec));
    this.#prefill = new PrefillProgram(native, spec);
    this.#decode = new DecodeProgram(native, spec);
  }

  /** Samples in request order. */
  async sample(
    parameters: readonly NativeTensor[],
    requests: readonly SampleRequest[],
    signal: AbortSignal | undefined,
    onProgress: ((tokens: number) => void) | undefined,
  ): Promise<Sample[]> {
    for (const request of requests) checkRequest(this.#spec, request);
    const samples = new Array<Sample>(requests.length);
    let tokens = 0;
    for (const batch of planSampling(requests))
      for await (const row of this.#run(parameters, requests, batch, signal, (count) =>
        onProgress?.((tokens += count)),
      ))
        samples[row.index] = {
          id: requests[row.index]?.id ?? '',
          tokens: row.tokens,
          logProbs: row.logProbs,
          finish: row.finish,
        };
    return samples;
  }

  async *#run(
    parameters: readonly NativeTensor[],
    requests: readonly SampleRequest[],
    { share, indices }: SamplingBatch,
    signal: AbortSignal | undefined,
    onTokens: (count: number) => void,
  ): AsyncGenerator<Row> {
    const native = this.#native;
    using scope = new Scope(native);
    const ints = (values: readonly number[]): NativeTensor => {
      const tensor = native.create(Int32Array.from(values), [values.length]);
      scope.hold([tensor]);
      return tensor;
    };
    const requestOf = (index: number): SampleRequest => requests[index] as SampleRequest;

    let rows = indices.map((index): Row => ({
      index,
      tokens: [],
      logProbs: [],
      done: false,
      finish: 'length',
    }));
    let g = share;
    const prompts = indices.filter((_, i) => i % share === 0).map(requestOf);
    const { state: initial, promptLengths } = this.#prefillPrompts(parameters, prompts, scope);
    let state = initial;
    // At first every row takes its prompt's logits, state and (empty) own cache.
    let promptIndex = prompts.map((_, i) => i);
    let rowIndex = rows.map((_, i) => Math.floor(i / share));
    let lengths = promptLengths;
    for (;;) {
      signal?.throwIfAborted();
      const most = Math.max(
        ...rows.map((row) => (row.done ? 0 : requestOf(row.index).maxTokens - row.tokens.length)),
      );
      const turns = Math.min(TURNS, most);
      const b = rows.length;
      const uniforms = new Float32Array(turns * b);
      const inverse = new Float32Array(b);
      rows.forEach((row, r) => {
        const { seed, temperature } = requestOf(row.index);
        inverse[r] = temperature === 0 ? 0 : Math.min(1 / temperature, MAX_INVERSE_TEMPERATURE);
        if (!row.done)
          for (let t = 0; t < turns; t++) uniforms[t * b + r] = uniform(seed, row.tokens.length + t);
      });
      const inputs = {
        promptIndex: ints(promptIndex),
        rowIndex: ints(rowIndex),
        promptLengths: ints(lengths),
        positions: ints(rows.map((row) => requestOf(row.index).prompt.length + row.tokens.length)),
        done: ints(rows.map((row) => (row.done ? 1 : 0))),
        uniforms: native.create(uniforms, [turns, b]),
        inverseTemperatures: native.create(inverse, [b]),
      };
      scope.hold([inputs.uniforms, inputs.inverseTemperatures]);
      const result = this.#decode.run(parameters, state, inputs);
      scope.hold([result.tokens, result.logProbs, ...tensorsOf(result.state)]);
      scope.delete([...Object.values(inputs), ...tensorsOf(state)]);
      state = result.state;
      const count = this.#take(rows, requests, result.tokens, result.logProbs);
      scope.delete([result.tokens, result.logProbs]);
      onTokens(count);
      await nextTurn();

      const live = rows.filter((row) => !row.done).length;
      if (live === 0) {
        yield* rows;
        return;
      }
      // Which prompts, and which rows, go on.
      const groups = Array.from({ length: rows.length / g }, (_, i) => rows.slice(i * g, (i + 1) * g));
      const going = groups.flatMap((group, i) => (group.some((row) => !row.done) ? [i] : []));
      if (g > 1 && live < UNSHARE_BELOW * going.length * g) {
        rowIndex = rows.flatMap((row, r) => (row.done ? [] : [r]));
        promptIndex = rowIndex.map((r) => Math.floor(r / g));
        g = 1;
      } else {
        promptIndex = going;
        rowIndex = going.flatMap((i) => Array.from({ length: g }, (_, k) => i * g + k));
      }
      const staying = new Set(rowIndex);
      yield* rows.filter((_, r) => !staying.has(r));
      rows = rowIndex.map((r) => rows[r] as Row);
      lengths = promptIndex.map((i) => lengths[i] as number);
    }
  }

  #prefillPrompts(
    parameters: readonly NativeTensor[],
    prompts: readonly SampleRequest[],
    scope: Scope,
  ): { state: DecodeState<NativeTensor>; promptLengths: number[] } {
    const native = this.#native;
    const { padToken } = this.#spec;
    const { keyValueHeads, headWidth } = attentionShape(this.#spec);
    const promptLengths = prompts.map(({ prompt }) => prompt.length);
    const longest = Math.max(...promptLengths);
    const tokens = new Int32Array(prompts.length * longest).fill(padToken);
    prompts.forEach(({ prompt }, i) => tokens.set(prompt, i * longest));
    const inputs = scope.hold([
      native.create(tokens, [prompts.length, longest]),
      native.create(Int32Array.from(promptLengths), [prompts.length]),
    ] as const);
    const { logits, cache } = this.#prefill.run(parameters, ...inputs);
    scope.delete(inputs);
    const states = native.create(
      Int32Array.from(prompts, ({ grammar, id }) => startState(this.#spec, grammar, id)),
      [prompts.length],
    );
    const ownCache = cache.map(() =>
      native.create(new Float32Array(0), [prompts.length, keyValueHeads, 0, headWidth]),
    );
    const state = { logits, states, promptCache: cache, ownCache };
    scope.hold(tensorsOf(state));
    return { state, promptLengths };
  }

  /** Adds a call's tokens to their rows. @returns how many. */
  #take(
    rows: readonly Row[],
    requests: readonly SampleRequest[],
    tokenTensor: NativeTensor,
    logProbTensor: NativeTensor,
  ): number {
    const tokens = this.#native.read(tokenTensor);
    const logProbs = this.#native.read(logProbTensor);
    const turns = tokens.length / rows.length;
    let count = 0;
    rows.forEach((row, r) => {
      const limit = requests[row.index]?.maxTokens ?? 0;
      for (let t = 0; t < turns && !row.done; t++) {
        const token = tokens[t * rows.length + r] ?? this.#spec.padToken;
        row.tokens.push(token);
        row.logProbs.push(logProbs[t * rows.length + r] ?? 0);
        count += 1;
        if (this.#ends.has(token)) row.finish = 'end';
        row.done = row.finish === 'end' || row.tokens.length >= limit;
      }
    });
    return count;
  }

  dispose(): void {
    this.#prefill.dispose();
    this.#decode.dispose();
  }
}

function tensorsOf({ logits, states, promptCache, ownCache }: DecodeState<NativeTensor>): NativeTensor[] {
  return [logits, states, ...promptCache, ...ownCache];
}
