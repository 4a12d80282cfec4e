/**
 * What each role may write, as one automaton over tokens (GrammarTable, policy/port.ts).
 *
 *   program   = operation{1,3}          input = digit{3,4}          list = digit{0,7}
 *   propose.deduction, propose.abduction = program ";" input END
 *   propose.induction = input ("|" input){INPUTS - 1} END
 *   steps     = (operation list){1,3}
 *   solve.deduction, solve.abduction     = [THINK steps ENDTHINK] list END
 *   solve.induction   = [THINK operation (pair "|" pair operation){0,2} ENDTHINK] program END
 *   pair              = list "->" list
 *
 * With error prediction:
 *
 *   propose.error   = (operation | partial){1,3} ";" input END
 *   solve.error     = [THINK ((operation | partial) list){1,3} ENDTHINK] name END
 *
 * With composite programs a proposed program may call "g" in place of an operation, and a solver's thought may hold one
 * step more. Whether g is given, and called where it is, is no matter of form: validation looks at it.
 *
 * With longer programs (`policy.operations`) what is said of 3 operations holds for as many, and of 7 digits for 4 more
 * than that; thoughts about induction end at three operations all the same.
 *
 * The grammar fixes form only: every answer it admits is well-formed, none of it is made right.
 */
import type { GrammarTable } from '../port.js';
import { longestList, MAX_INPUT_LENGTH, MAX_OPERATIONS, MIN_INPUT_LENGTH, OPERATIONS } from './operations.js';
import { PLAIN, type TinyFeatures } from './features.js';
import { PARTIAL_OPERATIONS } from './partial-operations.js';
import { ERROR_NAMES, mostExpanded } from './programs.js';
import * as v from './vocabulary.js';

/** Inputs of an induction task: the first half is given to the solver, the second half is hidden. */
export const INDUCTION_INPUTS = 4;

/** Operations of the longest program whose induction can be thought about: a longer thought would double the context. */
export const MAX_INDUCTION_THOUGHT = 3;

const DIGITS = Array.from({ length: 10 }, (_, d) => v.digitToken(d));
const OPERATION_TOKENS = OPERATIONS.map((_, i) => v.operationToken(i));
const PARTIAL_TOKENS = PARTIAL_OPERATIONS.map((_, i) => v.operationToken(OPERATIONS.length + i));
const ERROR_TOKENS = ERROR_NAMES.map(v.errorToken);

class Automaton {
  readonly edges: Map<number, number>[] = [];

  state(): number {
    this.edges.push(new Map());
    return this.edges.length - 1;
  }

  edge(from: number, tokens: readonly number[], to: number): void {
    const map = this.edges[from];
    if (map === undefined) throw new RangeError(`state ${from} does not exist`);
    for (const t of tokens) {
      if (map.has(t))
        throw new Error(`state ${from} has two edges for ${v.tokensToText([t])}: the grammar is ambiguous`);
      map.set(t, to);
    }
  }

  /** `tokens{min,max}` from `from`; returns the states in which the run may end. */
  run(from: number, tokens: readonly number[], min: number, max: number): number[] {
    const ends: number[] = min === 0 ? [from] : [];
    let at = from;
    for (let n = 1; n <= max; n++) {
      const next = this.state();
      this.edge(at, tokens, next);
      if (n >= min) ends.push(next);
      at = next;
    }
    return ends;
  }

  join(ends: readonly number[], token: number): number {
    const to = this.state();
    for (const end of ends) this.edge(end, [token], to);
    return to;
  }
}

function build(features: TinyFeatures): GrammarTable {
  const vocabulary = v.vocabularyOf(features);
  const calls = features.composite ? [v.CALL] : [];
  const longest = features.operations;
  const longestThought = features.composite ? mostExpanded(longest) : longest;
  const digitsOfList = longestList(longest);
  const a = new Automaton();
  const done = a.state();
  const finish = (ends: readonly number[]): void => {
    for (const end of ends) a.edge(end, [v.END], done);
  };
  const proposeProgram = (partial: readonly number[] = []): number => {
    const start = a.state();
    const input = a.join(a.run(start, [...OPERATION_TOKENS, ...partial, ...calls], 1, longest), v.SEMICOLON);
    finish(a.run(input, DIGITS, MIN_INPUT_LENGTH, MAX_INPUT_LENGTH));
    return start;
  };
  const proposeInputs = (): number => {
    const start = a.state();
    let at = start;
    for (let i = 0; i < INDUCTION_INPUTS; i++) {
      const ends = a.run(at, DIGITS, MIN_INPUT_LENGTH, MAX_INPUT_LENGTH);
      if (i === INDUCTION_INPUTS - 1) finish(ends);
      else at = a.join(ends, v.BAR);
    }
    return start;
  };
  /**
   * From `opening` on, (operation list)+, as many as a solver's program can have; returns the states in which it may end.
   * An operation that raises leaves no list.
   */
  const steps = (opening: number, operations: readonly number[], count: number): number[] => {
    const ends: number[] = [];
    let at: readonly number[] = [opening];
    for (let n = 0; n < count; n++) {
      const operation = a.state();
      for (const from of at) a.edge(from, operations, operation);
      at = a.run(operation, DIGITS, 0, digitsOfList);
      ends.push(...at);
    }
    return ends;
  };
  const solveList = (): number => {
    const start = a.state();
    // With a thought before it or without: what follows is the same.
    const ends = steps(a.join([start], v.THINK), OPERATION_TOKENS, longestThought);
    finish(a.run(a.join(ends, v.END_THINK), DIGITS, 0, digitsOfList));
    finish(a.run(start, DIGITS, 0, digitsOfList));
    return start;
  };
  const solveError = (): number => {
    const start = a.state();
    const operations = [...OPERATION_TOKENS, ...PARTIAL_TOKENS];
    const ends = steps(a.join([start], v.THINK), operations, longestThought);
    finish(a.run(a.join(ends, v.END_THINK), ERROR_TOKENS, 1, 1));
    finish(a.run(start, ERROR_TOKENS, 1, 1));
    return start;
  };
  /** From `from` on the given pairs, their left sides of at most `longest` digits; returns the states in which they may end. */
  const pairs = (from: number, longest: number): number[] => {
    let at = from;
    let ends: number[] = [];
    for (let i = 0; i < INDUCTION_INPUTS / 2; i++) {
      if (i > 0) at = a.join(ends, v.BAR);
      ends = a.run(a.join(a.run(at, DIGITS, 0, longest), v.ARROW), DIGITS, 0, digitsOfList);
    }
    return ends;
  };
  const solveProgram = (): number => {
    const start = a.state();
    const chosen: number[] = [];
    let at = [a.join([start], v.THINK)];
    for (let n = 1; n <= MAX_INDUCTION_THOUGHT; n++) {
      const operation = a.state();
      for (const from of at) a.edge(from, OPERATION_TOKENS, operation);
      chosen.push(operation);
      if (n < MAX_INDUCTION_THOUGHT) at = pairs(operation, MAX_INPUT_LENGTH + n);
    }
    finish(a.run(a.join(chosen, v.END_THINK), OPERATION_TOKENS, 1, longest));
    finish(a.run(start, OPERATION_TOKENS, 1, longest));
    return start;
  };
  const start = {
    'propose.deduction': proposeProgram(),
    'propose.abduction': proposeProgram(),
    'propose.induction': proposeInputs(),
    'solve.deduction': solveList(),
    'solve.abduction': solveList(),
    'solve.induction': solveProgram(),
    ...(features.error
      ? { 'propose.error': proposeProgram(PARTIAL_TOKENS), 'solve.error': solveError() }
      : {}),
  };
  const states = a.edges.length;
  const allowed = new Uint8Array(states * vocabulary);
  const next = new Int32Array(states * vocabulary).fill(-1);
  a.edges.forEach((edges, state) => {
    for (const [t, to] of edges) {
      allowed[state * vocabulary + t] = 1;
      next[state * vocabulary + t] = to;
    }
  });
  // After the end only padding: the softmax over an empty set does not exist.
  allowed[done * vocabulary + v.PAD] = 1;
  next[done * vocabulary + v.PAD] = done;
  return { vocabulary, states, allowed, next, start };
}

/** Of the plain domain. */
export const TINY_GRAMMAR: GrammarTable = build(PLAIN);

const grammars = new Map<string, GrammarTable>();

/** The grammar of a run's domain. */
export function tinyGrammar(features: TinyFeatures): GrammarTable {
  const { error, composite, operations } = features;
  if (!error && !composite && operations === MAX_OPERATIONS) return TINY_GRAMMAR;
  const key = JSON.stringify([error, composite, operations]);
  const known = grammars.get(key) ?? build(features);
  grammars.set(key, known);
  return known;
}

/** True when `tokens` is a whole sentence of the named start state. */
export function accepts(grammar: GrammarTable, start: string, tokens: readonly number[]): boolean {
  let state = grammar.start[start];
  if (state === undefined) return false;
  for (const t of tokens) {
    if (t < 0 || t >= grammar.vocabulary || grammar.allowed[state * grammar.vocabulary + t] !== 1)
      return false;
    state = grammar.next[state * grammar.vocabulary + t] ?? -1;
    if (state < 0) return false;
  }
  return tokens.at(-1) === v.END;
}
