/**
 * Log-probabilities of completion tokens under given parameters, nothing else: the forward half of learner-graph.ts, for
 * a reference policy whose gradients nobody wants.
 */
import type { Compute, ModelSpec } from '../port.js';
import { Tape } from './differentiable.js';
import { grammarGraph } from './grammar-graph.js';
import { Graph, type Tensor } from './graph.js';
import type { MicrobatchTensors } from './learner-graph.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations } from './operations.js';
import { Products } from './products.js';
import { targetTerms } from './target-terms.js';
import { logitsOf, parameterPlaceholders, sequenceForward } from './transformer.js';

export class ScoreProgram {
  readonly #program: Program;

  /** @param compute the type of matrix products: the learner's, so that its policy differs from this one by weights alone. */
  constructor(native: Native, spec: ModelSpec, compute: Compute = 'float32') {
    const graph = new Graph();
    const o = new Operations(graph);
    const tape = new Tape(o, new Products(o, compute));
    const parameters = parameterPlaceholders(graph, spec);
    const [tokens, positions, targets, states] = Array.from({ length: 4 }, () =>
      graph.placeholder('int'),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const { hidden } = sequenceForward(o, tape, spec, parameters, tokens);
    const logits = logitsOf(tape, spec, parameters, o.gather(hidden, positions));
    const { chosen } = targetTerms(o, spec, grammarGraph(o, spec).mask(logits, states), targets);
    this.#program = native.compile(
      graph,
      [...parameters.values(), tokens, positions, targets, states],
      [chosen],
    );
  }

  /** @returns [n] log-probabilities, nats, which the caller deletes. */
  run(parameters: readonly NativeTensor[], batch: MicrobatchTensors): NativeTensor {
    const { tokens, positions, targets, states } = batch;
    const [chosen] = this.#program.run([...parameters, tokens, positions, targets, states]);
    if (chosen === undefined) throw new Error('the scoring program gave nothing');
    return chosen;
  }

  dispose(): void {
    this.#program.dispose();
  }
}
