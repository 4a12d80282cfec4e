/**
 * Continuous batching (Yu et al. 2022, Orca): calls of a few turns; between calls rows that have ended leave, and once
 * there is room for as many again, new prompts enter.
 *
 * Rows of one prompt share its cache, so at first whole prompts leave, when all their completions have ended. Once few of
 * the remaining rows are live, each keeps a copy of its prompt's cache and only live ones stay.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ModelSpec, Sample, SampleOptions, SampleRequest } from '../port.js';
import { ArrangeProgram, JoinProgram, tensorsOf } from './arrange.js';
import { DecodeProgram, type DecodeState } from './decode.js';
import { startState } from './grammar-states.js';
import { Scope, type Native, type NativeTensor } from './native.js';
import { attentionShape, endTokens } from './parameters.js';
import { OutputProgram, PrefillProgram } from './prefill.js';
import { checkRequest, planSampling, truncates, type SamplingBatch } from './sampling-batches.js';
import { samplingBudget, type SamplingBudget } from './sampling-budget.js';
import { StopStrings } from './stop-strings.js';
import { uniform } from './uniforms.js';

/** Below this share of live rows the others leave: leaving copies the caches. */
const LEAVE_BELOW = 0.75;
/** Below this share of live rows, rows stop sharing prompts. */
const UNSHARE_BELOW = 0.6;
/** New prompts enter where at most this share of the rows that have room is live. */
const ENTER_BELOW = 0.5;
/** Positions that own caches grow by, at least. */
const OWN_ROOM = 16;
/** Inverse of the smallest temperature that is not greedy. */
const MAX_INVERSE_TEMPERATURE = 1e6;

interface Row {
  /** Of the request. */
  readonly index: number;
  readonly request: SampleRequest;
  readonly tokens: number[];
  readonly logProbs: number[];
  readonly stops: StopStrings | undefined;
  done: boolean;
  finish: Sample['finish'];
  stop?: string;
}

/** What is being decoded: `share` rows for each prompt, side by side. */
interface Running {
  readonly rows: readonly Row[];
  readonly share: number;
  readonly promptLengths: readonly number[];
  /** Positions of the caches. */
  readonly promptRoom: number;
  readonly ownRoom: number;
  readonly state: DecodeState<NativeTensor>;
}

export class Sampler {
  readonly #native: Native;
  readonly #spec: ModelSpec;
  readonly #budget: SamplingBudget;
  readonly #ends: ReadonlySet<number>;
  readonly #prefill: PrefillProgram;
  readonly #output: OutputProgram;
  readonly #arrange: ArrangeProgram;
  readonly #join: JoinProgram;
  readonly #plain: DecodeProgram;
  /** Built when a request first asks for truncation. */
  #truncating: DecodeProgram | undefined;

  constructor(native: Native, spec: ModelSpec, budget = samplingBudget(spec)) {
    this.#native = native;
    this.#spec = spec;
    this.#budget = budget;
    this.#ends = new Set(endTokens(spec));
    this.#prefill = new PrefillProgram(native, spec);
    this.#output = new OutputProgram(native, spec);
    this.#arrange = new ArrangeProgram(native, spec);
    this.#join = new JoinProgram(native, spec);
    this.#plain = new DecodeProgram(native, spec, false);
  }

  /** Samples in request order. */
  async sample(
    parameters: readonly NativeTensor[],
    requests: readonly SampleRequest[],
    options: SampleOptions = {},
  ): Promise<Sample[]> {
    for (const request of requests) checkRequest(this.#spec, request, options.tokenTexts);
    const samples = new Array<Sample>(requests.length);
    const capacity = this.#budget.rows(requests);
    const pending = planSampling(requests, capacity);
    const call = { parameters, requests, options, tokens: 0 };
    using scope = new Scope(this.#native);
    let running: Running | undefined;
    for (;;) {
      const live = running?.rows.filter(({ done }) => !done).length ?? 0;
      const next = live <= ENTER_BELOW * capacity ? takeBatch(pending, capacity - live) : undefined;
      if (next !== undefined) {
        const entered = await this.#enter(call, next, scope);
        running = running === undefined || live === 0 ? entered : this.#joined(running, entered, scope);
      } else if (running === undefined || live === 0) return samples;
      running = await this.#turns(call, this.#withRoom(running, scope), samples, scope);
    }
  }

  /** A batch's prompts through the model; its rows stand before their first token. */
  async #enter(call: Call, { share, indices }: SamplingBatch, scope: Scope): Promise<Running> {
    const native = this.#native;
    const rows = indices.map((index): Row => {
      const request = call.requests[index] as SampleRequest;
      const { stop } = request;
      const { tokenTexts } = call.options;
      const stops =
        stop === undefined || tokenTexts === undefined ? undefined : new StopStrings(tokenTexts, stop);
      return { index, request, tokens: [], logProbs: [], stops, done: false, finish: 'length' };
    });
    const prompts = rows.filter((_, i) => i % share === 0).map(({ request }) => request);
    const promptLengths = prompts.map(({ prompt }) => prompt.length);
    const longest = Math.max(...promptLengths);
    const { headWidth, keyValueHeads } = attentionShape(this.#spec);
    const u = prompts.length;
    const [lengths] = scope.hold([native.create(Int32Array.from(promptLengths), [u])] as const);
    const nothing = (): NativeTensor => native.create(new Float32Array(0), [u, keyValueHeads, 0, headWidth]);
    let cache = scope.hold(Array.from({ length: 2 * this.#spec.layers }, nothing));
    const { width } = this.#spec;
    let [last] = scope.hold([native.create(new Float32Array(u * width), [u, width])] as const);
    const chunk = this.#budget.chunk(u);
    for (let at = 0; at < longest; at += chunk) {
      call.options.signal?.throwIfAborted();
      const c = Math.min(chunk, longest - at);
      const tokens = new Int32Array(u * c).fill(this.#spec.padToken);
      prompts.forEach(({ prompt }, i) => tokens.set(prompt.slice(at, at + c), i * c));
      const [part] = scope.hold([native.create(tokens, [u, c])] as const);
      const grown = this.#prefill.run(call.parameters, part, lengths, last, cache);
      scope.hold([grown.last, ...grown.cache]);
      scope.delete([part, last, ...cache]);
      ({ last } = grown);
      cache = [...grown.cache];
      call.options.onProgress?.(call.tokens);
      await nextTurn();
    }
    const states = Int32Array.from(prompts, ({ grammar, id }) => startState(this.#spec, grammar, id));
    const state = {
      logits: this.#output.run(call.parameters, last),
      states: native.create(states, [u]),
      promptCache: cache,
      ownCache: cache.map(() => native.create(new Float32Array(0), [0, headWidth])),
    };
    scope.hold(tensorsOf(state));
    scope.delete([lengths, last]);
    const prefilled = { rows: [], share: 1, promptLengths, promptRoom: longest, ownRoom: 0, state };
    // Every row takes its prompt's logits and state.
    const rowIndex = rows.map((_, r) => Math.floor(r / share));
    const promptIndex = prompts.map((_, i) => i);
    const ownRoom = Math.min(OWN_ROOM, Math.max(...rows.map(({ request }) => request.maxTokens)));
    return { ...this.#arranged(prefilled, { promptIndex, rowIndex, ownRoom }, scope), rows, share };
  }

  /** The same with these prompts and rows, and at least so much room. The state before is deleted. */
  #arranged(
    running: Running,
    to: {
      readonly promptIndex: readonly number[];
      readonly rowIndex: readonly number[];
      readonly promptRoom?: number;
      readonly ownRoom?: number;
    },
    scope: Scope,
  ): Running {
    const { promptIndex, rowIndex } = to;
    const promptRoom = Math.max(running.promptRoom, to.promptRoom ?? 0);
    const ownRoom = Math.max(running.ownRoom, to.ownRoom ?? 0);
    const state = this.#arrange.run(this.#native, running.state, {
      promptIndex,
      rowIndex,
      promptRoom: promptRoom - running.promptRoom,
      ownRoom: ownRoom - running.ownRoom,
    });
    scope.hold(tensorsOf(state));
    scope.delete(tensorsOf(running.state));
    return {
      rows: rowIndex.map((r) => running.rows[r] as Row),
      share: rowIndex.length / promptIndex.length,
      promptLengths: promptIndex.map((i) => running.promptLengths[i] as number),
      promptRoom,
      ownRoom,
      state,
    };
  }

  /** Rows that have ended leave where it pays, and own caches have room for the turns of a call. */
  #withRoom(running: Running, scope: Scope): Running {
    const { rows, ownRoom } = running;
    const live = rows.filter(({ done }) => !done);
    const needed = Math.max(...live.map(({ tokens }) => tokens.length)) + this.#turnsOf(running);
    if (live.length > LEAVE_BELOW * rows.length && needed <= ownRoom) return running;
    const most = Math.max(...live.map(({ request }) => request.maxTokens));
    const room = needed <= ownRoom ? ownRoom : Math.min(most, ownRoom + Math.max(OWN_ROOM, ownRoom >> 1));
    return this.#arranged(running, { ...staying(running), ownRoom: Math.max(room, needed) }, scope);
  }

  /** What is running goes on together with what has entered. */
  #joined(running: Running, entered: Running, scope: Scope): Running {
    const promptRoom = Math.max(running.promptRoom, entered.promptRoom);
    const ownRoom = Math.max(running.ownRoom, entered.ownRoom);
    let first = staying(running);
    let second = all(entered);
    const shareOf = ({ promptIndex, rowIndex }: Places): number => rowIndex.length / promptIndex.length;
    if (shareOf(first) !== shareOf(second)) {
      first = unshared(running, live(running));
      second = unshared(entered, second.rowIndex);
    }
    const a = this.#arranged(running, { ...first, promptRoom, ownRoom }, scope);
    const b = this.#arranged(entered, { ...second, promptRoom, ownRoom }, scope);
    const state = this.#join.run(a.state, b.state);
    scope.hold(tensorsOf(state));
    scope.delete([...tensorsOf(a.state), ...tensorsOf(b.state)]);
    return {
      ...a,
      rows: [...a.rows, ...b.rows],
      promptLengths: [...a.promptLengths, ...b.promptLengths],
      state,
    };
  }

  #turnsOf({ rows }: Running): number {
    const most = Math.max(
      ...rows.map(({ done, request, tokens }) => (done ? 0 : request.maxTokens - tokens.length)),
    );
    return Math.min(this.#budget.turns(rows.length), most);
  }

  /** One call of the decoder. */
  async #turns(call: Call, running: Running, samples: Sample[], scope: Scope): Promise<Running> {
    call.options.signal?.throwIfAborted();
    const native = this.#native;
    const { rows } = running;
    const turns = this.#turnsOf(running);
    const b = rows.length;
    const uniforms = new Float32Array(turns * b);
    rows.forEach(({ done, request: { seed }, tokens }, r) => {
      if (!done) for (let t = 0; t < turns; t++) uniforms[t * b + r] = uniform(seed, tokens.length + t);
    });
    const ints = (of: (row: Row) => number): NativeTensor => native.create(Int32Array.from(rows, of), [b]);
    const floats = (of: (row: Row) => number): NativeTensor =>
      native.create(Float32Array.from(rows, of), [b]);
    const truncating = rows.some(({ request }) => truncates(request));
    const { vocabulary } = this.#spec;
    const inputs = {
      promptLengths: native.create(Int32Array.from(running.promptLengths), [running.promptLengths.length]),
      ownLengths: ints(({ tokens }) => tokens.length),
      positions: ints(({ request, tokens }) => request.prompt.length + tokens.length),
      done: ints(({ done }) => (done ? 1 : 0)),
      endless: ints(({ request }) => (request.ignoreEnd === true ? 1 : 0)),
      uniforms: native.create(uniforms, [turns, b]),
      inverseTemperatures: floats(({ request: { temperature } }) =>
        temperature === 0 ? 0 : Math.min(1 / temperature, MAX_INVERSE_TEMPERATURE),
      ),
      ...(truncating
        ? {
            topK: ints(({ request }) => Math.min(request.topK ?? vocabulary, vocabulary)),
            topP: floats(({ request }) => request.topP ?? 1),
            minP: floats(({ request }) => request.minP ?? 0),
          }
        : {}),
    };
    scope.hold(Object.values(inputs));
    const decode = truncating
      ? (this.#truncating ??= new DecodeProgram(native, this.#spec, true))
      : this.#plain;
    const result = decode.run(call.parameters, running.state, inputs);
    const { logits, states, ownCache } = result.state;
    scope.hold([result.tokens, result.logProbs, logits, states, ...ownCache]);
    const { state: before } = running;
    scope.delete([...Object.values(inputs), before.logits, before.states, ...before.ownCache]);
    await this.#take(call, rows, result.tokens, result.logProbs, samples);
    scope.delete([result.tokens, result.logProbs]);
    call.options.onProgress?.(call.tokens);
    await nextTurn();
    return { ...running, state: result.state };
  }

  /** Adds a call's tokens to their rows. Rows that end become samples. */
  async #take(
    call: Call,
    rows: readonly Row[],
    tokenTensor: NativeTensor,
    logProbTensor: NativeTensor,
    samples: Sample[],
  ): Promise<void> {
    const [tokens, logProbs] = await Promise.all([
      this.#native.read(tokenTensor),
      this.#native.read(logProbTensor),
    ]);
    const turns = tokens.length / rows.length;
    rows.forEach((row, r) => {
      if (row.done) return;
      const { request } = row;
      const had = row.tokens.length;
      for (let t = 0; t < turns && !row.done; t++) {
        const token = tokens[t * rows.length + r] ?? this.#spec.padToken;
        row.tokens.push(token);
        row.logProbs.push(logProbs[t * rows.length + r] ?? 0);
        const stop = row.stops?.push(token);
        if (request.ignoreEnd !== true && this.#ends.has(token)) row.finish = 'end';
        else if (stop !== undefined) {
          row.finish = 'stop';
          row.stop = stop;
        }
        row.done = row.finish !== 'length' || row.tokens.length >= request.maxTokens;
      }
      call.tokens += row.tokens.length - had;
      call.options.onTokens?.(request.id, row.tokens.slice(had));
      if (!row.done) return;
      const { finish, stop } = row;
      const sample = { id: request.id, tokens: row.tokens, logProbs: row.logProbs, finish };
      samples[row.index] = stop === undefined ? sample : { ...sample, stop };
    });
  }

  dispose(): void {
    for (const program of [this.#prefill, this.#output, this.#arrange, this.#join, this.#plain])
      program.dispose();
    this.#truncating?.dispose();
  }
}

interface Call {
  readonly parameters: readonly NativeTensor[];
  readonly requests: readonly SampleRequest[];
  readonly options: SampleOptions;
  /** So far. */
  tokens: number;
}

interface Places {
  readonly promptIndex: readonly number[];
  readonly rowIndex: readonly number[];
}

const all = ({ rows, share }: Running): Places => ({
  promptIndex: Array.from({ length: rows.length / share }, (_, i) => i),
  rowIndex: rows.map((_, r) => r),
});

const live = ({ rows }: Running): number[] => rows.flatMap(({ done }, r) => (done ? [] : [r]));

const unshared = ({ share }: Running, rowIndex: readonly number[]): Places => ({
  promptIndex: rowIndex.map((r) => Math.floor(r / share)),
  rowIndex,
});

/** Which prompts, and which rows, go on. */
function staying(running: Running): Places {
  const { share } = running;
  const going = live(running);
  const prompts = [...new Set(going.map((r) => Math.floor(r / share)))];
  if (share > 1 && going.length < UNSHARE_BELOW * prompts.length * share) return unshared(running, going);
  const rowIndex = prompts.flatMap((i) => Array.from({ length: share }, (_, k) => i * share + k));
  return { promptIndex: prompts, rowIndex };
}

/** The first pending batch, or as many of its prompts as have room. */
function takeBatch(pending: SamplingBatch[], room: number): SamplingBatch | undefined {
  const [first] = pending;
  if (first === undefined) return undefined;
  const count = Math.min(first.indices.length, Math.floor(room / first.share) * first.share);
  if (count === 0) return undefined;
  pending.shift();
  if (count < first.indices.length) pending.unshift({ ...first, indices: first.indices.slice(count) });
  return { ...first, indices: first.indices.slice(0, count) };
}
