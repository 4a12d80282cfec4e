/**
 * Prompts through the model, some tokens of each at a time (chunked prefill; Agrawal et al. 2023, arXiv 2308.16369): a
 * long prompt does not hold up a cancellation, and its attention scores are never held whole.
 */
import type { ModelSpec } from '../port.js';
import { Tape } from './differentiable.js';
import { Graph } from './graph.js';
import type { Cache } from './decode.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations } from './operations.js';
import { logitsOf, parameterPlaceholders, sequenceForward } from './transformer.js';

export class PrefillProgram {
  readonly #program: Program;

  constructor(native: Native, spec: ModelSpec) {
    const graph = new Graph();
    const o = new Operations(graph);
    const parameters = parameterPlaceholders(graph, spec);
    const [tokens, lengths, last] = [
      graph.placeholder('int'),
      graph.placeholder('int'),
      graph.placeholder('float'),
    ];
    const cache = Array.from({ length: 2 * spec.layers }, () => graph.placeholder('float'));
    const past = {
      keys: cache.filter((_, i) => i % 2 === 0),
      values: cache.filter((_, i) => i % 2 === 1),
    };
    const { hidden, keys, values } = sequenceForward(o, new Tape(o), spec, parameters, tokens, { past });
    const [u, c] = [o.size(tokens, 0), o.size(tokens, 1)];
    // Where each prompt's last token stands in this chunk, if it does.
    const at = o.sub(o.sub(lengths, graph.int(1)), o.size(cache[0] ?? tokens, 2));
    const isHere = o.and(o.greater(at, graph.int(-1)), o.less(at, c));
    const place = o.minimum(o.maximum(at, graph.int(0)), o.sub(c, graph.int(1)));
    const found = o.gather(hidden, o.add(o.mul(o.range(u), c), place));
    this.#program = native.compile(
      graph,
      [...parameters.values(), tokens, lengths, last, ...cache],
      [
        o.select(o.reshape(isHere, [-1, 1]), found, last),
        ...keys.flatMap((key, layer) => [key, values[layer] ?? key]),
      ],
    );
  }

  /**
   * @param tokens [u, c] int: the next tokens of each prompt, of no meaning after its end
   * @param lengths [u] int: of the whole prompts
   * @param last [u, d]: the last token's hidden state, of prompts that ended before
   * @param cache of the chunks before, [u, keyValueHeads, p, headWidth] each; p is 0 at first
   * @returns both, this chunk included. The caller deletes what it gave.
   */
  run(
    parameters: readonly NativeTensor[],
    tokens: NativeTensor,
    lengths: NativeTensor,
    last: NativeTensor,
    cache: Cache<NativeTensor>,
  ): { last: NativeTensor; cache: Cache<NativeTensor> } {
    const [next, ...grown] = this.#program.run([...parameters, tokens, lengths, last, ...cache]);
    if (next === undefined) throw new Error('the prefill gave nothing');
    return { last: next, cache: grown };
  }

  dispose(): void {
    this.#program.dispose();
  }
}

/** hidden [n, d] -> logits [n, vocabulary] */
export class OutputProgram {
  readonly #program: Program;

  constructor(native: Native, spec: ModelSpec) {
    const graph = new Graph();
    const o = new Operations(graph);
    const parameters = parameterPlaceholders(graph, spec);
    const hidden = graph.placeholder('float');
    this.#program = native.compile(
      graph,
      [...parameters.values(), hidden],
      [logitsOf(new Tape(o), spec, parameters, hidden)],
    );
  }

  run(parameters: readonly NativeTensor[], hidden: NativeTensor): NativeTensor {
    const [logits] = this.#program.run([...parameters, hidden]);
    if (logits === undefined) throw new Error('the output projection gave nothing');
    return logits;
  }

  dispose(): void {
    this.#program.dispose();
  }
}
