/**
 * Some turns of new tokens as a loop inside the session, with a key-value cache. Script code does nothing a token; between
 * calls it lets rows leave and enter (sampler.ts).
 *
 * Rows of a batch are `g` completions for each of `u` prompts, side by side (b = u * g). A prompt's keys and values are
 * held once and meet its `g` queries in one matrix product; each completion's own keys and values are written in place
 * into a cache of `t` positions a row, rows standing at places of their own. Every size is free: one graph serves all
 * batches.
 *
 * Randomness comes in as uniforms made from each sample's own seed (uniforms.ts): a token is the first whose cumulative
 * probability exceeds its uniform, so a sample does not depend on its batch mates beyond rounding.
 */
import type { ModelSpec } from '../port.js';
import { Tape } from './differentiable.js';
import { grammarGraph } from './grammar-graph.js';
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations, type Shape } from './operations.js';
import { entriesOf, firstAbove } from './over-vocabulary.js';
import { attentionShape, endTokens } from './parameters.js';
import { projectWhole } from './projection.js';
import { rotationOf } from './rotary.js';
import {
  feedForward,
  layerOf,
  logitsOf,
  MASKED,
  parameter,
  parameterPlaceholders,
  queryKeyValue,
} from './transformer.js';
import { truncated } from './truncation.js';

/** Keys and values by layer, in this order: keys of layer 0, values of layer 0, keys of layer 1, ... */
export type Cache<T> = readonly T[];

/** What a call goes on from. */
export interface DecodeState<T> {
  /** [b, vocabulary] */
  readonly logits: T;
  /** [b] int: grammar states */
  readonly states: T;
  /** [u, keyValueHeads, p, headWidth] each */
  readonly promptCache: Cache<T>;
  /** [b * keyValueHeads * t, headWidth] each: flat, so that positions are rows */
  readonly ownCache: Cache<T>;
}

export interface DecodeInputs<T> {
  /** [u] int */
  readonly promptLengths: T;
  /** [b] int: how many positions of its own cache a row has filled */
  readonly ownLengths: T;
  /** [b] int: position of the row's next token */
  readonly positions: T;
  /** [b] int: 1 for rows that have ended */
  readonly done: T;
  /** [b] int: 1 for rows that no end token ends */
  readonly endless: T;
  /** [turns, b] in (0, 1) */
  readonly uniforms: T;
  /** [b]: 1 / temperature; 0 is greedy */
  readonly inverseTemperatures: T;
}

const INPUT_TYPES = {
  promptLengths: 'int',
  ownLengths: 'int',
  positions: 'int',
  done: 'int',
  endless: 'int',
  uniforms: 'float',
  inverseTemperatures: 'float',
} as const;
const TRUNCATION_TYPES = { topK: 'int', topP: 'float', minP: 'float' } as const;

type InputName = keyof typeof INPUT_TYPES;
type TruncationName = keyof typeof TRUNCATION_TYPES;

export type AllDecodeInputs<T> = DecodeInputs<T> & Partial<Record<TruncationName, T>>;

export class DecodeProgram {
  readonly #program: Program;
  readonly #names: readonly (InputName | TruncationName)[];

  /** @param truncates whether top-k, top-p and min-p are inputs. */
  constructor(native: Native, spec: ModelSpec, truncates: boolean) {
    const graph = new Graph();
    const o = new Operations(graph);
    const tape = new Tape(o);
    const { layers, vocabulary } = spec;
    const { headWidth: w, keyValueHeads, groups, parts } = attentionShape(spec);
    const types = truncates ? { ...INPUT_TYPES, ...TRUNCATION_TYPES } : INPUT_TYPES;
    this.#names = Object.keys(types) as (InputName | TruncationName)[];
    const parameters = parameterPlaceholders(graph, spec);
    const given = Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name, graph.placeholder(type)]),
    ) as unknown as Record<InputName | TruncationName, Tensor>;
    const cachePlaceholders = (): Tensor[] =>
      Array.from({ length: 2 * layers }, () => graph.placeholder('float'));
    const before = {
      logits: graph.placeholder('float'),
      states: graph.placeholder('int'),
      promptCache: cachePlaceholders(),
      ownCache: cachePlaceholders(),
    };

    const { promptCache } = before;
    const u = o.size(given.promptLengths, 0);
    const b = o.size(given.positions, 0);
    const g = o.floorDiv(b, u);
    const rowsOfPrompt = o.mul(g, graph.int(groups));
    const p = o.size(promptCache[0] as Tensor, 2);
    const own = o.floorDiv(o.size(before.ownCache[0] as Tensor, 0), o.mul(b, graph.int(keyValueHeads)));
    // [u, 1, 1, p]
    const promptMask = o.reshape(
      o.select(
        o.less(o.reshape(o.range(p), [1, -1]), o.reshape(given.promptLengths, [-1, 1])),
        graph.scalar(0),
        graph.scalar(MASKED),
      ),
      [-1, 1, 1, p],
    );
    // Where each row's first position of each head stands in the flat cache: [b, keyValueHeads]
    const begins = o.reshape(o.mul(o.range(o.mul(b, graph.int(keyValueHeads))), own), [-1, keyValueHeads]);
    const ownPlaces = o.reshape(o.range(own), [1, -1]);
    const lastPlace = o.sub(own, graph.int(1));
    const rotationAt = rotationOf(o, spec);
    const grammar = grammarGraph(o, spec);
    const steps = o.size(given.uniforms, 0);
    const greedy = o.less(given.inverseTemperatures, graph.scalar(1e-20));
    const inverseTemperature = o.reshape(given.inverseTemperatures, [-1, 1]);
    const mayEnd = o.less(given.endless, graph.int(1));

    const empty = o.sizes([0, b]);
    const layerParts = Array.from({ length: layers }, (_, i) => layerOf(tape, spec, parameters, i, 'few'));
    // Shapes that a turn needs are put together here, once, outside the loop.
    const ownShape = o.sizes([-1, keyValueHeads, own, w]);
    const attentionSizes = o.sizes([p, own]);
    const sorted = (from: Shape, to: Shape): ((y: Tensor) => Tensor) => {
      const [apart, together] = [o.sizes(from), o.sizes(to)];
      return (y) => o.reshape(o.transpose(o.reshape(y, apart), [0, 2, 1, 3, 4]), together);
    };
    // Between rows of completions, [b, keyValueHeads, groups, last], and of prompts, [u, keyValueHeads, g * groups, last]:
    // the queries of a prompt's completions that meet one key head are rows of one product.
    const [h, k] = [keyValueHeads, groups];
    const [valuesByPrompt, scoresByPrompt] = [w, p].map((last) =>
      sorted([-1, g, h, k, last], [-1, h, rowsOfPrompt, last]),
    ) as [(y: Tensor) => Tensor, (y: Tensor) => Tensor];
    const [valuesByRow, scoresByRow] = [w, p].map((last) =>
      sorted([-1, h, g, k, last], [-1, h, k, last]),
    ) as [(y: Tensor) => Tensor, (y: Tensor) => Tensor];

    const [, logits, states, , tokens, logProbs, ...ownCache] = graph.whileLoop(
      [
        graph.int(0),
        before.logits,
        before.states,
        o.greater(given.done, graph.int(0)),
        o.fill(empty, graph.int(0)),
        o.fill(empty, graph.scalar(0)),
        ...before.ownCache,
      ],
      ([t, , , done]) => {
        const hasTurns = o.less(t as Tensor, steps);
        // Elsewhere turns in which nobody is live end the call early; here to know that would be to wait for the device.
        return native.conditionsFollowShapes ? hasTurns : o.and(hasTurns, o.not(o.all(done as Tensor, [0])));
      },
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
        const heated = o.softmax(o.mul(masked, inverseTemperature));
        const cumulative = o.cumulativeSum(truncates ? truncated(o, vocabulary, heated, given) : heated, 1);
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
          (done, end) => o.or(done, o.and(mayEnd, o.equal(token, graph.int(end)))),
          wasDone,
        );

        // One position through the layers: [b, d]
        const position = o.minimum(o.add(given.positions, turn), graph.int(spec.context - 1));
        const rotation = rotationAt(position);
        // Rows that have ended go on writing into their last place.
        const place = o.minimum(o.add(given.ownLengths, turn), lastPlace);
        const cacheRows = o.reshape(o.add(begins, o.reshape(place, [-1, 1])), [-1]);
        const ownMask = o.reshape(
          o.select(o.greater(ownPlaces, o.reshape(place, [-1, 1])), graph.scalar(MASKED), graph.scalar(0)),
          [-1, 1, 1, own],
        );
        let x = o.gather(parameter(parameters, 'embedding'), token);
        const nextCache: Tensor[] = [];
        layerParts.forEach((layer, i) => {
          // [b, heads, w], [b, keyValueHeads, w] twice
          const [query0, newKey, newValue] = queryKeyValue(tape, spec, layer, x, rotation, [-1]);
          const query = o.mul(query0, graph.scalar(1 / Math.sqrt(w)));
          const written = (part: Tensor, y: Tensor): Tensor => {
            const flat = o.updateRows(part, cacheRows, o.reshape(y, [-1, w]));
            nextCache.push(flat);
            return o.reshape(flat, ownShape);
          };
          const key = written(cache[2 * i] as Tensor, newKey);
          const value = written(cache[2 * i + 1] as Tensor, newValue);
          const toPrompt = o.add(
            o.batchMatMul(valuesByPrompt(query), promptCache[2 * i] as Tensor, false, true),
            promptMask,
          );
          const toOwn = o.add(o.batchMatMul(o.reshape(query, [-1, h, k, w]), key, false, true), ownMask);
          const attention = o.softmax(o.concat([scoresByRow(toPrompt), toOwn], 3));
          const [onPrompt, onOwn] = o.splitInTwo(attention, 3, attentionSizes);
          const fromPrompt = valuesByRow(
            o.batchMatMul(scoresByPrompt(onPrompt), promptCache[2 * i + 1] as Tensor),
          );
          const fromOwn = o.batchMatMul(onOwn, value);
          const mixed = o.reshape(o.add(fromPrompt, fromOwn), [-1, parts[0]]);
          x = feedForward(tape, spec, layer, o.add(x, projectWhole(tape, mixed, layer.out)));
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
        ...this.#names.map((name) => given[name]),
        before.logits,
        before.states,
        ...before.promptCache,
        ...before.ownCache,
      ],
      [tokens, logProbs, logits, states, ...ownCache],
    );
  }

  /**
   * The rows' own caches need room for all turns.
   * @returns tokens and log-probabilities (temperature 1, grammar applied, nothing truncated), [turns, b] each, of no
   * meaning after a row's end; and the state to go on from, which shares the prompts' cache with the one before.
   */
  run(
    parameters: readonly NativeTensor[],
    state: DecodeState<NativeTensor>,
    inputs: AllDecodeInputs<NativeTensor>,
  ): { tokens: NativeTensor; logProbs: NativeTensor; state: DecodeState<NativeTensor> } {
    const [tokens, logProbs, logits, states, ...ownCache] = this.#program.run([
      ...parameters,
      ...this.#names.map((name) => {
        const tensor = inputs[name];
        if (tensor === undefined) throw new TypeError(`${name} is missing; this graph truncates`);
        return tensor;
      }),
      state.logits,
      state.states,
      ...state.promptCache,
      ...state.ownCache,
    ]) as [NativeTensor, NativeTensor, NativeTensor, NativeTensor, ...NativeTensor[]];
    return { tokens, logProbs, state: { logits, states, promptCache: state.promptCache, ownCache } };
  }

  dispose(): void {
    this.#program.dispose();
  }
}
