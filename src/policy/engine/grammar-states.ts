/** The grammar's automaton over given tokens: states before each of them, and what is wrong with rows that do not fit. */
import type { GrammarTable, LearnRow, ModelSpec } from '../port.js';

/** The grammar's state before each completion token. @throws RangeError for a token that the grammar does not allow. */
export function grammarStates(
  spec: ModelSpec,
  row: Pick<LearnRow, 'id' | 'grammar' | 'completion'>,
): Int32Array {
  const states = new Int32Array(row.completion.length);
  const { grammar } = spec;
  const unconstrained = freeState(spec);
  if (grammar === undefined || row.grammar === undefined) return states.fill(unconstrained);
  let state = startState(spec, row.grammar, row.id);
  row.completion.forEach((token, i) => {
    states[i] = state;
    if (grammar.allowed[state * grammar.vocabulary + token] !== 1)
      throw new RangeError(
        `row ${row.id}: token ${token} at place ${i} is not allowed by the grammar ${row.grammar ?? ''}`,
      );
    state = grammar.next[state * grammar.vocabulary + token] ?? unconstrained;
  });
  return states;
}

/** The state that allows everything and is never left: one after the grammar's own (grammarTables). */
export function freeState(spec: ModelSpec): number {
  return spec.grammar?.states ?? 0;
}

/** The state before the first completion token. @throws RangeError naming the start states that exist. */
export function startState(spec: ModelSpec, name: string | undefined, id: string): number {
  if (name === undefined) return freeState(spec);
  const state = spec.grammar?.start[name];
  if (state === undefined)
    throw new RangeError(
      `grammar of ${id} is ${JSON.stringify(name)}; accepted are ${spec.grammar === undefined ? 'none: the model has no grammar' : Object.keys(spec.grammar.start).join(', ')}`,
    );
  return state;
}

/** `masked` is added to logits, `next` follows; both [states + 1, vocabulary], the last row being the free state. */
export function grammarTables(
  { states: free, vocabulary, allowed, next: table }: GrammarTable,
  masked: number,
): { bias: Float32Array; next: Int32Array; states: number } {
  const bias = new Float32Array((free + 1) * vocabulary);
  const next = new Int32Array((free + 1) * vocabulary).fill(free);
  for (let i = 0; i < free * vocabulary; i++) {
    bias[i] = allowed[i] === 1 ? 0 : masked;
    next[i] = Math.max(0, table[i] ?? 0);
  }
  return { bias, next, states: free + 1 };
}

/** @throws RangeError for what is no token of the model. */
export function checkTokens(spec: ModelSpec, tokens: readonly number[], what: string): void {
  for (const token of tokens)
    if (!Number.isInteger(token) || token < 0 || token >= spec.vocabulary)
      throw new RangeError(
        `${what} holds token ${token}; accepted are integers from 0 to ${spec.vocabulary - 1}`,
      );
}
