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
import { NORM_EPSILON, Tape } from './differentiable.js';
import { grammarTables } from './grammar-states.js';
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations } from './operations.js';
import {
  logitsOf,
  MASKED,
  parameter,
  parameterPlaceholders,
  rotaryPermutation,
  rotaryTables,
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
      [logitsOf(tape, parameters, last), ...keys.flatMap((key, layer) => [key, values[layer] as Tensor])],
    );
  }

  /**
   * @param prompts [u, p] int, left-aligned
   * @param lengths [u] int
   * @returns logits after each prompt [u, vocabulary], and the prompts' cache, [u, heads, p, headWidth] each.
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
  /** [m, heads, p, headWidth] each */
  readonly promptCache: Cache<T>;
  /** [n, heads, t, headWidth] each */
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
    const { width: d, heads, layers, vocabulary } = spec;
    const w = d / heads;
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
    const tables = rotaryTables(spec, spec.context);
    const cosTable = graph.constant(tables.cos, [spec.context, w]);
    const sinTable = graph.constant(tables.sin, [spec.context, w]);
    const permutation = rotaryPermutation(graph, spec);
    const grammar = grammarTables(spec, MASKED);
    const bias = graph.constant(grammar.bias, [grammar.states, vocabulary]);
    const next = graph.constant(grammar.next, [grammar.states, vocabulary]);
    const steps = o.size(given.uniforms, 0);
    const greedy = o.less(given.inverseTemperatures, graph.scalar(1e-20));
    const inverseTemperature = o.reshape(given.inverseTemperatures, [-1, 1]);

    const norm = (x: Tensor, weight: Tensor): Tensor =>
      o.mul(o.mul(x, o.rsqrt(o.add(o.mean(o.square(x), [-1], true), graph.scalar(NORM_EPSILON)))), weight);
    const empty = o.sizes([0, b]);
    // Parts of fused weights, cut once outside the loop: contiguous products are cheaper than cutting activations.
    const parts = (name: string, count: number): Tensor[][] =>
      Array.from({ length: layers }, (_, layer) =>
        o.split(parameter(parameters, `layer${layer}.${name}`), 1, count),
      );
    const [qkv, gateUp] = [parts('qkv', 3), parts('gateUp', 2)];

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
        const masked = o.add(rawLogits, o.gather(bias, state));
        const logP = o.logSoftmax(masked);
        const cumulative = o.cumulativeSum(o.softmax(o.mul(masked, inverseTemperature)), 1);
        // Scaled by the whole sum, so that rounding can never pass the last allowed token.
        const total = o.slice(cumulative, 2, 1, vocabulary - 1, 1);
        const threshold = o.mul(o.reshape(o.gather(given.uniforms, turn), [-1, 1]), total);
        const drawn = o.argMax(o.cast(o.greater(cumulative, threshold), 'float'), 1);
        const token = o.select(
          wasDone,
          graph.int(spec.padToken),
          o.select(greedy, o.argMax(masked, 1), drawn),
        );
        const chosen = o.sum(o.mul(o.oneHot(token, vocabulary), logP), [1]);
        const pair = graph.op1(
          'Pack',
          [state, token],
          { T: { type: 'int' }, N: { int: 2 }, axis: { int: 1 } },
          'int',
        );
        const nextState = o.select(wasDone, state, o.gatherNd(next, pair));
        const nowDone = o.or(wasDone, o.equal(token, graph.int(spec.endToken)));

        // One position through the layers: [b, d]
        const position = o.minimum(o.add(given.positions, turn), graph.int(spec.context - 1));
        const cos = o.reshape(o.gather(cosTable, position), [-1, 1, w]);
        const sin = o.reshape(o.gather(sinTable, position), [-1, 1, w]);
        const rotate = (x: Tensor): Tensor => {
          const turned = o.reshape(o.matMul(o.reshape(x, [-1, w]), permutation), [-1, heads, w]);
          return o.add(o.mul(x, cos), o.mul(turned, sin));
        };
        let x = o.gather(parameter(parameters, 'embedding'), token);
        const nextCache: Tensor[] = [];
        for (let layer = 0; layer < layers; layer++) {
          const of = (name: string): Tensor => parameter(parameters, `layer${layer}.${name}`);
          const [wq, wk, wv] = qkv[layer] as [Tensor, Tensor, Tensor];
          const [wGate, wUp] = gateUp[layer] as [Tensor, Tensor];
          const unit1 = norm(x, of('norm1'));
          const [q, k, v] = [o.matMul(unit1, wq), o.matMul(unit1, wk), o.matMul(unit1, wv)];
          // [b, heads, w]
          const query = o.mul(rotate(o.reshape(q, [-1, heads, w])), graph.scalar(1 / Math.sqrt(w)));
          const key = o.concat(
            [cache[2 * layer] as Tensor, o.reshape(rotate(o.reshape(k, [-1, heads, w])), [-1, heads, 1, w])],
            2,
          );
          const value = o.concat([cache[2 * layer + 1] as Tensor, o.reshape(v, [-1, heads, 1, w])], 2);
          nextCache.push(key, value);
          // Against the shared prompt [u, heads, g, p], then by completion [b, heads, 1, p].
          const grouped = o.transpose(o.reshape(query, [-1, g, heads, w]), [0, 2, 1, 3]);
          const toPrompt = o.add(
            o.batchMatMul(grouped, promptCache[2 * layer] as Tensor, false, true),
            promptMask,
          );
          const toPromptRows = o.reshape(o.transpose(toPrompt, [0, 2, 1, 3]), [-1, heads, 1, p]);
          const toOwn = o.batchMatMul(o.reshape(query, [-1, heads, 1, w]), key, false, true);
          const attention = o.softmax(o.concat([toPromptRows, toOwn], 3));
          const onPrompt = o.transpose(
            o.reshape(o.sliceBetween(attention, 4, 3, null, p), [-1, g, heads, p]),
            [0, 2, 1, 3],
          );
          // [u, heads, g, w] -> [b, d]
          const fromPrompt = o.reshape(
            o.transpose(o.batchMatMul(onPrompt, promptCache[2 * layer + 1] as Tensor), [0, 2, 1, 3]),
            [-1, d],
          );
          const fromOwn = o.reshape(o.batchMatMul(o.sliceBetween(attention, 4, 3, p, null), value), [-1, d]);
          x = o.add(x, o.matMul(o.add(fromPrompt, fromOwn), of('out')));
          const unit2 = norm(x, of('norm2'));
          const [gate, up] = [o.matMul(unit2, wGate), o.matMul(unit2, wUp)];
          x = o.add(x, o.matMul(o.mul(o.mul(gate, o.sigmoid(gate)), up), of('down')));
        }
        const nextLogits = o.matMul(
          norm(x, parameter(parameters, 'norm')),
          parameter(parameters, 'embedding'),
          false,
          true,
        );
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
