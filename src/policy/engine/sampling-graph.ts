/**
 * Sampling as one graph: the prompts in parallel, then a loop over new tokens with a key-value cache, all inside the
 * session. Script code does nothing a token.
 *
 * A call samples `g` completions for each of `u` distinct prompts. The prompts' keys and values are computed and kept
 * once; the `g` queries of a prompt meet them in one matrix product. Each completion's own cache grows by concatenation.
 *
 * Randomness comes in as uniforms [u * g, t], made from each sample's own seed (uniforms.ts): a token is the first whose
 * cumulative probability exceeds its uniform, so a sample does not depend on its batch mates beyond rounding.
 */
import type { ModelSpec } from '../port.js';
import { NORM_EPSILON, Tape } from './differentiable.js';
import { Graph, type Tensor } from './graph.js';
import { maskedLogits } from './learner-graph.js';
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

export interface SamplingInputs {
  /** [u, p] int, left-aligned */
  readonly prompts: NativeTensor;
  /** [u] int */
  readonly lengths: NativeTensor;
  /** [u * g] int: grammar state before the first token */
  readonly states: NativeTensor;
  /** [u * g, t] in [0, 1) */
  readonly uniforms: NativeTensor;
  /** [2]: 1 / temperature, 1 for greedy */
  readonly settings: NativeTensor;
}

export class SamplingProgram {
  readonly #program: Program;

  /**
   * @param promptLength p
   * @param samples g
   * @param steps t, the most tokens a completion may have
   */
  constructor(native: Native, spec: ModelSpec, promptLength: number, samples: number, steps: number) {
    const graph = new Graph();
    const o = new Operations(graph);
    const tape = new Tape(o);
    const { width: d, heads, layers, vocabulary } = spec;
    const w = d / heads;
    const [p, g] = [promptLength, samples];
    const parameters = parameterPlaceholders(graph, spec);
    const prompts = graph.placeholder('int');
    const lengths = graph.placeholder('int');
    const states0 = graph.placeholder('int');
    const uniforms = graph.placeholder('float');
    const settings = graph.placeholder('float');
    const inverseTemperature = o.entry(settings, 0);
    const greedy = o.greater(o.entry(settings, 1), graph.scalar(0.5));

    // The prompts: keys and values [u, heads, p, w], and the hidden state at each prompt's last token.
    const { hidden, keys, values } = sequenceForward(o, tape, spec, parameters, prompts, p);
    const u = o.entry(o.shape(lengths), 0);
    const range = graph.op1('Range', [graph.int(0), u, graph.int(1)], { Tidx: { type: 'int' } }, 'int');
    const last = o.add(o.mul(range, graph.int(p)), o.sub(lengths, graph.int(1)));
    const firstLogits = repeat(o, logitsOf(tape, parameters, o.gather(hidden, last)), g, [vocabulary]);
    const promptMask = o.reshape(
      o.select(
        o.less(
          graph.constant(Int32Array.from({ length: p }, (_, i) => i), [1, p]),
          o.reshape(lengths, [-1, 1]),
        ),
        graph.scalar(0),
        graph.scalar(MASKED),
      ),
      [-1, 1, 1, p],
    );
    const lengthOf = o.reshape(repeat(o, o.reshape(lengths, [-1, 1]), g, [1]), [-1]);

    const b = o.entry(o.shape(states0), 0);
    const tables = rotaryTables(spec, spec.context);
    const cosTable = graph.constant(tables.cos, [spec.context, w]);
    const sinTable = graph.constant(tables.sin, [spec.context, w]);
    const permutation = rotaryPermutation(graph, spec);
    const next = spec.grammar === undefined ? undefined : graph.constant(spec.grammar.next, [spec.grammar.states, vocabulary]);

    const norm = (x: Tensor, weight: Tensor): Tensor =>
      o.mul(
        o.mul(x, o.rsqrt(o.add(o.mean(o.square(x), [-1], true), graph.scalar(NORM_EPSILON)))),
        weight,
      );
    const emptyCache = o.fill(
      o.stackVector([b, graph.int(heads), graph.int(0), graph.int(w)]),
      graph.scalar(0),
    );
    const noTokens = o.fill(o.stackVector([graph.int(0), b]), graph.int(0));
    const noLogProbs = o.fill(o.stackVector([graph.int(0), b]), graph.scalar(0));
    const notDone = o.less(o.fill(o.stackVector([b]), graph.int(1)), graph.int(0));
    // [t, b]: a turn takes its row.
    const uniformRows = o.transpose(uniforms, [1, 0]);

    const caches = Array.from({ length: 2 * layers }, () => emptyCache);
    const [, , , , tokens, logProbs] = graph.whileLoop(
      [graph.int(0), firstLogits, states0, notDone, noTokens, noLogProbs, ...caches],
      ([t, , , done]) => o.and(o.less(t as Tensor, graph.int(steps)), o.not(o.all(done as Tensor, [0]))),
      ([t, logits, state, done, outTokens, outLogProbs, ...cache]) => {
        const turn = t as Tensor;
        const masked = maskedLogits(o, spec, logits as Tensor, state as Tensor);
        const logP = o.logSoftmax(masked);
        const cumulative = o.cumulativeSum(o.softmax(o.mul(masked, inverseTemperature)), 1);
        // Scaled by the whole sum, so that rounding can never leave the last allowed token.
        const total = o.slice(cumulative, 2, 1, vocabulary - 1, 1);
        const threshold = o.mul(o.reshape(o.gather(uniformRows, turn), [-1, 1]), total);
        const drawn = o.argMax(o.cast(o.greater(cumulative, threshold), 'float'), 1);
        const best = o.argMax(masked, 1);
        const wasDone = done as Tensor;
        const token = o.select(wasDone, graph.int(spec.padToken), o.select(greedy, best, drawn));
        const chosen = o.select(wasDone, graph.scalar(0), o.sum(o.mul(o.oneHot(token, vocabulary), logP), [1]));
        const pair = graph.op1(
          'Pack',
          [state as Tensor, token],
          { T: { type: 'int' }, N: { int: 2 }, axis: { int: 1 } },
          'int',
        );
        const nextState = next === undefined ? (state as Tensor) : o.select(wasDone, state as Tensor, o.gatherNd(next, pair));
        const nowDone = o.or(wasDone, o.equal(token, graph.int(spec.endToken)));

        // One position through the layers: [b, d]
        const position = o.minimum(o.add(lengthOf, turn), graph.int(spec.context - 1));
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
          const [q, k, v] = o.split(o.matMul(norm(x, of('norm1')), of('qkv')), 1, 3) as [Tensor, Tensor, Tensor];
          // [b, heads, w]
          const query = o.mul(rotate(o.reshape(q, [-1, heads, w])), graph.scalar(1 / Math.sqrt(w)));
          const key = o.concat(
            [cache[2 * layer] as Tensor, o.reshape(rotate(o.reshape(k, [-1, heads, w])), [-1, heads, 1, w])],
            2,
          );
          const value = o.concat([cache[2 * layer + 1] as Tensor, o.reshape(v, [-1, heads, 1, w])], 2);
          nextCache.push(key, value);
          // Against the shared prompt: [u, heads, g, p], then by completion [b, heads, 1, p].
          const grouped = o.transpose(o.reshape(query, [-1, g, heads, w]), [0, 2, 1, 3]);
          const toPrompt = o.add(o.batchMatMul(grouped, keys[layer] as Tensor, false, true), promptMask);
          const toPromptRows = o.reshape(o.transpose(toPrompt, [0, 2, 1, 3]), [-1, heads, 1, p]);
          const toOwn = o.batchMatMul(o.reshape(query, [-1, heads, 1, w]), key, false, true);
          const attention = o.softmax(o.concat([toPromptRows, toOwn], 3));
          const onPrompt = o.transpose(
            o.reshape(o.slice(attention, 4, 3, 0, p), [-1, g, heads, p]),
            [0, 2, 1, 3],
          );
          // [u, heads, g, w] -> [b, d]
          const fromPrompt = o.reshape(
            o.transpose(o.batchMatMul(onPrompt, values[layer] as Tensor), [0, 2, 1, 3]),
            [-1, d],
          );
          const fromOwn = o.reshape(o.batchMatMul(o.slice(attention, 4, 3, p, -1), value), [-1, d]);
          x = o.add(x, o.matMul(o.add(fromPrompt, fromOwn), of('out')));
          const [gate, up] = o.split(o.matMul(norm(x, of('norm2')), of('gateUp')), 1, 2) as [Tensor, Tensor];
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
          o.concat([outTokens as Tensor, row(token)], 0),
          o.concat([outLogProbs as Tensor, row(chosen)], 0),
          ...nextCache,
        ];
      },
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    this.#program = native.compile(
      graph,
      [...parameters.values(), prompts, lengths, states0, uniforms, settings],
      [tokens, logProbs],
    );
  }

  /** @returns tokens and log-probabilities, [turns, u * g] each, padded after the end token. */
  run(
    native: Native,
    parameters: readonly NativeTensor[],
    inputs: SamplingInputs,
  ): { turns: number; tokens: Int32Array; logProbs: Float32Array } {
    const [tokens, logProbs] = this.#program.run([
      ...parameters,
      inputs.prompts,
      inputs.lengths,
      inputs.states,
      inputs.uniforms,
      inputs.settings,
    ]) as [NativeTensor, NativeTensor];
    const result = {
      turns: tokens.shape[0] ?? 0,
      tokens: native.read(tokens) as Int32Array,
      logProbs: native.read(logProbs) as Float32Array,
    };
    native.delete(tokens, logProbs);
    return result;
  }

  dispose(): void {
    this.#program.dispose();
  }
}

/** x [u, ...rest] -> [u * g, ...rest], each row g times in a row. */
function repeat(o: Operations, x: Tensor, g: number, rest: readonly number[]): Tensor {
  if (g === 1) return x;
  const column = o.reshape(x, [-1, 1, ...rest]);
  return o.reshape(
    o.concat(
      Array.from({ length: g }, () => column),
      1,
    ),
    [-1, ...rest],
  );
}
