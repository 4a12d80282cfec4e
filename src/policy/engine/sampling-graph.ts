/**
 * Sampling as two graphs: the prompts in parallel, then some turns of new tokens as a loop inside the session, with a
 * key-value cache. Script code does nothing a token; between calls it drops what is finished (sampler.ts).
 *
 * Rows of a batch are `g` completions for each of `u` prompts, side by side (b = u * g). A prompt's keys and values are
 * held once and meet its `g` queries in one matrix product; each completion's own keys and values grow by concatenation.
 * Every size is free: one graph serves all batches.
 *
 * Randomness comes in as uniforms made from each sample's own seed (uniforms.ts): a token is the first whose cumulative
 * probability exceeds its uniform, so a sample does not depend on its batch mates beyond rounding.
 */
import type { ModelSpec } from '../port.js';
import { Tape } from './differentiable.js';
import { grammarGraph } from './grammar-graph.js';
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations } from './operations.js';
import { entriesOf, firstAbove } from './over-vocabulary.js';
import { attentionShape, endTokens } from './parameters.js';
import { rotationOf } from './rotary.js';
import {
  feedForward,
  layerOf,
  logitsOf,
  MASKED,
  parameter,
  parameterPlaceholders,
  queryKeyValue,
  sequenceForward,
} from './transformer.js';

/** Keys and values by layer, in this order: keys of layer 0, values of layer 0, keys of layer 1, ... */
export type Cache<T> = readonly T[];

export class PrefillProgram {
  readonly #program: Program;

  constructor(native: Native, spec: ModelSpec) {
    const graph = new Graph();
    const o = new Operations(graph);
    const tape = new Tape(o);
    const parameters = parameterPlaceholders(graph, spec);
    const prompts = graph.placeholder('int');
    const lengths = graph.placeholder('int');
    const { hidden, keys, values } = sequenceForward(o, tape, spec, parameters, prompts);
    const begins = o.mul(o.range(o.size(prompts, 0)), o.size(prompts, 1));
    const last = o.gather(hidden, o.sub(o.add(begins, lengths), graph.int(1)));
    this.#program = native.compile(
      graph,
      [...parameters.values(), prompts, lengths],
      [
        logitsOf(tape, spec, parameters, last),
        ...keys.flatMap((key, layer) => [key, values[layer] as Tensor]),
      ],
    );
  }

  /**
   * @param prompts [u, p] int, left-aligned
   * @param lengths [u] int
   * @returns logits after each prompt [u, vocabulary], and the prompts' cache, [u, keyValueHeads, p, headWidth] each.
   */
  run(
    parameters: readonly NativeTensor[],
    prompts: NativeTensor,
    lengths: NativeTensor,
  ): { logits: NativeTensor; cache: Cache<NativeTensor> } {
    const [logits, ...cache] = this.#program.run([...parameters, prompts, lengths]);
    return { logits: logits as NativeTensor, cache };
  }

  dispose(): void {
    this.#program.dispose();
  }
}

/** What a call of DecodeProgram goes on from. `n` and `m` are the rows and prompts of the call before. */
export interface DecodeState<T> {
  /** [n, vocabulary] */
  readonly logits: T;
  /** [n] int: grammar states */
  readonly states: T;
  /** [m, keyValueHeads, p, headWidth] each */
  readonly promptCache: Cache<T>;
  /** [n, keyValueHeads, t, headWidth] each */
  readonly ownCache: Cache<T>;
}

export interface DecodeInputs<T> {
  /** [u] int: which of the m prompts are in this call */
  readonly promptIndex: T;
  /** [b] int: which of the n rows are in this call */
  readonly rowIndex: T;
  /** [u] int */
  readonly promptLengths: T;
  /** [b] int: position of the row's next token */
  readonly positions: T;
  /** [b] int: 1 for rows that are in the batch only because their prompt is */
  readonly done: T;
  /** [turns, b] in (0, 1) */
  readonly uniforms: T;
  /** [b]: 1 / temperature; 0 is greedy */
  readonly inverseTemperatures: T;
}

const INPUT_TYPES = {
  promptIndex: 'int',
  rowIndex: 'int',
  promptLengths: 'int',
  positions: 'int',
  done: 'int',
  uniforms: 'float',
  inverseTemperatures: 'float',
} as const;
const INPUTS = Object.keys(INPUT_TYPES) as (keyof typeof INPUT_TYPES)[];

export class DecodeProgram {
  readonly #program: Program;
  readonly #layers: number;

  constructor(native: Native, spec: ModelSpec) {
    const graph = new Graph();
    const o = new Operations(graph);
    const tape = new Tape(o);
    const { layers, vocabulary } = spec;
    const { headWidth: w, keyValueHeads, groups, parts } = attentionShape(spec);
    this.#layers = layers;
    const parameters = parameterPlaceholders(graph, spec);
    const given = Object.fromEntries(
      INPUTS.map((name) => [name, graph.placeholder(INPUT_TYPES[name])]),
    ) as Record<keyof typeof INPUT_TYPES, Tensor>;
    const cachePlaceholders = (): Tensor[] =>
      Array.from({ length: 2 * layers }, () => graph.placeholder('float'));
    const before = {
      logits: graph.placeholder('float'),
      states: graph.placeholder('int'),
      promptCache: cachePlaceholders(),
      ownCache: cachePlaceholders(),
    };

    const promptCache = before.promptCache.map((part) => o.gather(part, given.promptIndex));
    const u = o.size(given.promptIndex, 0);
    const b = o.size(given.rowIndex, 0);
    const g = graph.op1('FloorDiv', [b, u], { T: { type: 'int' } }, 'int');
    const rowsOfPrompt = o.mul(g, graph.int(groups));
    const p = o.size(promptCache[0] as Tensor, 2);
    // [u, 1, 1, p]
    const promptMask = o.reshape(
      o.select(
        o.less(o.reshape(o.range(p), [1, -1]), o.reshape(given.promptLengths, [-1, 1])),
        graph.scalar(0),
        graph.scalar(MASKED),
      ),
      [-1, 1, 1, p],
    );
    const rotationAt = rotationOf(o, spec);
    const grammar = grammarGraph(o, spec);
    const steps = o.size(given.uniforms, 0);
    const greedy = o.less(given.inverseTemperatures, graph.scalar(1e-20));
    const inverseTemperature = o.reshape(given.inverseTemperatures, [-1, 1]);

    const empty = o.sizes([0, b]);
    // What is cut of fused weights is cut here, once, outside the loop.
    const layerParts = Array.from({ length: layers }, (_, i) => layerOf(tape, spec, parameters, i));

    const [, logits, states, , tokens, logProbs, ...ownCache] = graph.whileLoop(
      [
        graph.int(0),
        o.gather(before.logits, given.rowIndex),
        o.gather(before.states, given.rowIndex),
        o.greater(given.done, graph.int(0)),
        o.fill(empty, graph.int(0)),
        o.fill(empty, graph.scalar(0)),
        ...before.ownCache.map((part) => o.gather(part, given.rowIndex)),
      ],
      ([t, , , done]) => o.and(o.less(t as Tensor, steps), o.not(o.all(done as Tensor, [0]))),
      ([t, ...variables]) => {
        const turn = t as Tensor;
        const [rawLogits, state, wasDone, outTokens, outLogProbs, ...cache] = variables as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          ...Tensor[],
        ];
        const masked = grammar.mask(rawLogits, state);
        const logP = o.logSoftmax(masked);
        const cumulative = o.cumulativeSum(o.softmax(o.mul(masked, inverseTemperature)), 1);
        // Scaled by the whole sum, so that rounding can never pass the last allowed token.
        const total = o.slice(cumulative, 2, 1, vocabulary - 1, 1);
        const threshold = o.mul(o.reshape(o.gather(given.uniforms, turn), [-1, 1]), total);
        const token = o.select(
          wasDone,
          graph.int(spec.padToken),
          o.select(greedy, o.argMax(masked, 1), firstAbove(o, vocabulary, cumulative, threshold)),
        );
        const chosen = entriesOf(o, vocabulary, logP, token);
        const nextState = o.select(wasDone, state, grammar.next(state, token));
        const nowDone = endTokens(spec).reduce(
          (done, end) => o.or(done, o.equal(token, graph.int(end))),
          wasDone,
        );

        // One position through the layers: [b, d]
        const position = o.minimum(o.add(given.positions, turn), graph.int(spec.context - 1));
        const rotation = rotationAt(position);
        let x = o.gather(parameter(parameters, 'embedding'), token);
        const nextCache: Tensor[] = [];
        layerParts.forEach((layer, i) => {
          // [b, heads, w], [b, keyValueHeads, w] twice
          const [q, k, v] = queryKeyValue(tape, spec, layer, x, rotation, [-1]);
          const query = o.mul(q, graph.scalar(1 / Math.sqrt(w)));
          const grown = (before: Tensor, y: Tensor): Tensor =>
            o.concat([before, o.reshape(y, [-1, keyValueHeads, 1, w])], 2);
          const key = grown(cache[2 * i] as Tensor, k);
          const value = grown(cache[2 * i + 1] as Tensor, v);
          nextCache.push(key, value);
          // Against the shared prompt [u, keyValueHeads, g * groups, p]: the queries of a prompt's completions that meet one
          // key head are rows of one product. Then by completion [b, keyValueHeads, groups, p].
          const byPrompt = (y: Tensor, last: number | Tensor): Tensor =>
            o.reshape(o.transpose(o.reshape(y, [-1, g, keyValueHeads, groups, last]), [0, 2, 1, 3, 4]), [
              -1,
              keyValueHeads,
              rowsOfPrompt,
              last,
            ]);
          const byRow = (y: Tensor, last: number | Tensor): Tensor =>
            o.reshape(o.transpose(o.reshape(y, [-1, keyValueHeads, g, groups, last]), [0, 2, 1, 3, 4]), [
              -1,
              keyValueHeads,
              groups,
              last,
            ]);
          const toPrompt = o.add(
            o.batchMatMul(byPrompt(query, w), promptCache[2 * i] as Tensor, false, true),
            promptMask,
          );
          const toOwn = o.batchMatMul(o.reshape(query, [-1, keyValueHeads, groups, w]), key, false, true);
          const attention = o.softmax(o.concat([byRow(toPrompt, p), toOwn], 3));
          const onPrompt = byPrompt(o.sliceBetween(attention, 4, 3, null, p), p);
          const fromPrompt = byRow(o.batchMatMul(onPrompt, promptCache[2 * i + 1] as Tensor), w);
          const fromOwn = o.batchMatMul(o.sliceBetween(attention, 4, 3, p, null), value);
          const mixed = o.reshape(o.add(fromPrompt, fromOwn), [-1, parts[0]]);
          x = feedForward(tape, spec, layer, o.add(x, o.matMul(mixed, layer.out)));
        });
        const nextLogits = logitsOf(tape, spec, parameters, x);
        const row = (y: Tensor): Tensor => o.reshape(y, [1, -1]);
        return [
          o.add(turn, graph.int(1)),
          nextLogits,
          nextState,
          nowDone,
          o.concat([outTokens, row(token)], 0),
          o.concat([outLogProbs, row(chosen)], 0),
          ...nextCache,
        ];
      },
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, ...Tensor[]];
    this.#program = native.compile(
      graph,
      [
        ...parameters.values(),
        ...INPUTS.map((name) => given[name]),
        before.logits,
        before.states,
        ...before.promptCache,
        ...before.ownCache,
      ],
      [tokens, logProbs, logits, states, ...promptCache, ...ownCache],
    );
  }

  /**
   * @returns tokens and log-probabilities (temperature 1, grammar applied), [turns, b] each, of no meaning after a row's
   * end; and the state to go on from. The caller deletes both states.
   */
  run(
    parameters: readonly NativeTensor[],
    state: DecodeState<NativeTensor>,
    inputs: DecodeInputs<NativeTensor>,
  ): { tokens: NativeTensor; logProbs: NativeTensor; state: DecodeState<NativeTensor> } {
    const [tokens, logProbs, logits, states, ...caches] = this.#program.run([
      ...parameters,
      ...INPUTS.map((name) => inputs[name]),
      state.logits,
      state.states,
      ...state.promptCache,
      ...state.ownCache,
    ]) as [NativeTensor, NativeTensor, NativeTensor, NativeTensor, ...NativeTensor[]];
    const ownCache = caches.splice(2 * this.#layers);
    return { tokens, logProbs, state: { logits, states, promptCache: caches, ownCache } };
  }

  dispose(): void {
    this.#program.dispose();
  }
}
