/** The grammar's automaton inside a graph; without a grammar nothing is masked and no table is held. */
import type { ModelSpec } from '../port.js';
import { grammarTables } from './grammar-states.js';
import type { Tensor } from './graph.js';
import type { Operations } from './operations.js';
import { MASKED } from './transformer.js';

export interface GrammarGraph {
  /** logits [n, vocabulary], states [n] int -> logits with everything masked that is not allowed there. */
  mask(logits: Tensor, states: Tensor): Tensor;
  /** states [n], tokens [n] int -> states after the tokens. */
  next(states: Tensor, tokens: Tensor): Tensor;
}

/** To be called outside loops: tables become constants here. */
export function grammarGraph(o: Operations, spec: ModelSpec): GrammarGraph {
  if (spec.grammar === undefined) return { mask: (logits) => logits, next: (states) => states };
  const tables = grammarTables(spec.grammar, MASKED);
  const shape = [tables.states, spec.vocabulary];
  const [bias, next] = [o.graph.constant(tables.bias, shape), o.graph.constant(tables.next, shape)];
  return {
    mask: (logits, states) => o.add(logits, o.gather(bias, states)),
    next: (states, tokens) => o.gatherNd(next, o.pairs(states, tokens)),
  };
}
