/**
 * Logits and log-probabilities of one given sequence: a forward pass, then the output matrix over a bounded number of
 * positions at a time, so that no [tokens, vocabulary] is ever whole.
 */
import type { ModelSpec } from '../port.js';
import { Tape } from './differentiable.js';
import { Graph } from './graph.js';
import { Scope, type Native, type NativeTensor, type Program } from './native.js';
import { Operations } from './operations.js';
import { targetTerms } from './target-terms.js';
import { logitsOf, parameterPlaceholders, sequenceForward } from './transformer.js';

/** Positions whose logits are in memory together. */
const POSITIONS = 256;

export class SequenceLogits {
  readonly #native: Native;
  readonly #spec: ModelSpec;
  readonly #forward: Program;
  readonly #head: Program;

  constructor(native: Native, spec: ModelSpec) {
    this.#native = native;
    this.#spec = spec;
    this.#forward = forwardProgram(native, spec);
    this.#head = headProgram(native, spec);
  }

  /**
   * @param ids [s]
   * @returns logits after the last token, [vocabulary]; log-probability of each token but the first given those before it,
   * nats, [s - 1].
   */
  async run(
    parameters: readonly NativeTensor[],
    ids: readonly number[],
  ): Promise<{ lastLogits: Float32Array; tokenLogProbs: number[] }> {
    const native = this.#native;
    using scope = new Scope(native);
    const ints = (values: readonly number[], shape: readonly number[]): NativeTensor => {
      const tensor = native.create(Int32Array.from(values), shape);
      scope.hold([tensor]);
      return tensor;
    };
    const [hidden] = scope.hold(this.#forward.run([...parameters, ints(ids, [1, ids.length])])) as [
      NativeTensor,
    ];
    const tokenLogProbs: number[] = [];
    let lastLogits = new Float32Array(0);
    for (let begin = 0; begin < ids.length; begin += POSITIONS) {
      const positions = ids.slice(begin, begin + POSITIONS).map((_, i) => begin + i);
      const n = positions.length;
      // The last token has no target: any will do.
      const targets = positions.map((at) => ids[at + 1] ?? 0);
      const [logProbs, last] = scope.hold(
        this.#head.run([...parameters, hidden, ints(positions, [n]), ints(targets, [n])]),
      ) as [NativeTensor, NativeTensor];
      tokenLogProbs.push(...(await native.read(logProbs)));
      if (begin + n === ids.length) lastLogits = Float32Array.from(await native.read(last));
      scope.delete([logProbs, last]);
    }
    if (lastLogits.length !== this.#spec.vocabulary)
      throw new Error(`${lastLogits.length} logits; the vocabulary has ${this.#spec.vocabulary}`);
    return { lastLogits, tokenLogProbs: tokenLogProbs.slice(0, ids.length - 1) };
  }

  dispose(): void {
    this.#forward.dispose();
    this.#head.dispose();
  }
}

function forwardProgram(native: Native, spec: ModelSpec): Program {
  const graph = new Graph();
  const o = new Operations(graph);
  const parameters = parameterPlaceholders(graph, spec);
  const tokens = graph.placeholder('int');
  const { hidden } = sequenceForward(o, new Tape(o), spec, parameters, tokens);
  return native.compile(graph, [...parameters.values(), tokens], [hidden]);
}

/** Outputs: log-probabilities of the targets, [n]; logits at the last position, [vocabulary]. */
function headProgram(native: Native, spec: ModelSpec): Program {
  const graph = new Graph();
  const o = new Operations(graph);
  const parameters = parameterPlaceholders(graph, spec);
  const hidden = graph.placeholder('float');
  const [positions, targets] = [graph.placeholder('int'), graph.placeholder('int')];
  const logits = logitsOf(new Tape(o), spec, parameters, o.gather(hidden, positions));
  const { chosen } = targetTerms(o, spec, logits, targets);
  const end = o.sub(o.size(positions, 0), graph.int(1));
  return native.compile(
    graph,
    [...parameters.values(), hidden, positions, targets],
    [chosen, o.gather(logits, end)],
  );
}
