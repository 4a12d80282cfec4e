/**
 * The tiny policy's prompts: a role symbol, then programs and lists as symbols.
 *
 *   propose.deduction [# program ; input]*          -> program ; input
 *   propose.induction program                        -> input | input | input | input
 *   propose.error     [# program ; input]*           -> program ; input
 *   solve.deduction   program ; input                -> [<think> (operation list)+ </think>] output
 *   solve.abduction   program -> output              -> [<think> (operation list)+, last first </think>] input
 *   solve.induction   input -> output | input -> output -> [<think> operation (the pairs that are left, operation)* </think>] program
 *   solve.error       program ; input                -> [<think> (operation list)+, the last without a list if it raises </think>] its class
 *
 * Where a function is given to a proposer, `g` and its operations come first in the prompt. A solver is shown composite
 * programs expanded: each call replaced by the function's operations.
 *
 * Programs leave as real Python and come back from it (operations.ts, programs.ts); nothing else of the system knows these symbols.
 */
import type { Completion, PolicyCodec, Prompt, ProposalReference } from '../codec.js';
import type { GrammarTable } from '../port.js';
import type { ParsedProposal, ParsedSolution, SolverView, TaskKind } from '../../tasks/types.js';
import { split } from '../split.js';
import { PromptTooLongError } from '../text/codec.js';
import { accepts, INDUCTION_INPUTS, MAX_INDUCTION_THOUGHT, tinyGrammar } from './grammar.js';
import {
  longestList,
  MAX_INPUT_LENGTH,
  MAX_OPERATIONS,
  MIN_INPUT_LENGTH,
  MOST_OPERATIONS,
  parseList,
  parseProgram,
  renderList,
} from './operations.js';
import {
  definitionOperations,
  expand,
  expandedOperations,
  mostExpanded,
  renderOperations,
  withinBounds,
} from './programs.js';
import * as v from './vocabulary.js';

/** Longest completions of a domain whose programs have up to `longest` operations. */
function limits(longest: number) {
  const list = longestList(longest);
  const listAfter = (steps: number): number => 1 + steps * (list + 1) + 1 + list + 1;
  // The pairs that are left after one operation, and after two: each is two lists with an arrow between them.
  const rest = (done: number): number => 2 * (MAX_INPUT_LENGTH + done + 1 + list) + 1;
  const rests = Array.from({ length: MAX_INDUCTION_THOUGHT - 1 }, (_, n) => rest(n + 1));
  return {
    /** A list after a thought of as many steps as a program has; two to spare, as recorded runs have it. */
    solution: listAfter(longest) + 2,
    expandedSolution: listAfter(mostExpanded(longest)),
    /** A program after a thought. */
    program: 1 + MAX_INDUCTION_THOUGHT + rests.reduce((sum, n) => sum + n, 0) + 1 + longest + 1,
    /** Four inputs, or a program and one. */
    proposal: 24,
  };
}

const codecs = new Map<number, PolicyCodec>();

/** @param operations of the longest program, `policy.operations` (features.ts). */
export function tinyCodecOf(operations: number): PolicyCodec {
  const known = codecs.get(operations) ?? build(operations);
  codecs.set(operations, known);
  return known;
}

function build(longest: number): PolicyCodec {
  /** Every sentence of a run's own grammar is one of this, which has all symbols. */
  const widest = tinyGrammar({ error: true, composite: true, operations: longest });
  const most = limits(longest);
  return {
    expresses({ code, inputs, outputs }) {
      const length = parseProgram(code)?.length ?? 0;
      return (
        length >= 1 &&
        length <= longest &&
        // A solver's prompt of more pairs than a proposer can write does not fit the context.
        inputs.length <= INDUCTION_INPUTS &&
        inputs.every((input) => {
          const digits = parseList(input)?.length ?? 0;
          return digits >= MIN_INPUT_LENGTH && digits <= MAX_INPUT_LENGTH;
        }) &&
        outputs.every((output) => parseList(output) !== undefined)
      );
    },

    templateVersion: 'tiny.v3',

    proposePrompt(kind, references, program, functions = []): Prompt {
      const grammar = `propose.${kind}`;
      if (kind !== 'induction') {
        const given =
          functions.length === 0 ? [] : [v.CALL, ...givenOperations(functions).map(v.operationToken)];
        const tokens = [v.token(grammar), ...given, ...references.flatMap(referenceTokens)];
        return { text: null, tokens, grammar, maxTokens: most.proposal };
      }
      const shown = programTokens(required(program, 'program'));
      // A solver could not write the answer: the grammar of programs ends before.
      if (shown.length > longest) throw new PromptTooLongError(shown.length + 1, longest + 1);
      return { text: null, tokens: [v.token(grammar), ...shown], grammar, maxTokens: most.proposal };
    },

    parseProposal(kind, completion, program, functions = []): ParsedProposal {
      const failure = malformed(widest, `propose.${kind}`, completion);
      if (failure !== undefined) return { ok: false, formatOk: false, ...failure };
      const body = completion.tokens.slice(0, -1);
      if (kind === 'induction') {
        const code = required(program, 'program');
        const inputs = split(body, v.BAR).map((part) => renderList(part.map(v.digitOf)));
        return accepted(code, inputs);
      }
      const at = body.indexOf(v.SEMICOLON);
      const operations = body.slice(0, at).map(v.operationOf);
      const input = body.slice(at + 1).map(v.digitOf);
      const expanded = expand(operations, functions.length === 0 ? undefined : givenOperations(functions));
      if (expanded === undefined)
        return {
          ok: false,
          formatOk: true,
          reason: 'not-given',
          detail: 'the program calls g; none is given',
        };
      if (!withinBounds(expanded, input, longest))
        return {
          ok: false,
          formatOk: true,
          reason: 'out-of-bounds',
          detail: `${expanded.length} operations with g expanded; accepted are up to ${mostExpanded(longest)}, and lists of up to ${longestList(longest)} elements`,
        };
      return accepted(renderOperations(operations), [renderList(input)]);
    },

    solvePrompt(kind, view): Prompt {
      const grammar = `solve.${kind}`;
      const operations = view.code === undefined ? 0 : programTokens(view.code).length;
      return {
        text: null,
        tokens: [v.token(grammar), ...viewTokens(kind, view)],
        grammar,
        maxTokens:
          kind === 'induction' ? most.program : operations > longest ? most.expandedSolution : most.solution,
      };
    },

    parseSolution(kind, completion): ParsedSolution {
      if (malformed(widest, `solve.${kind}`, completion) !== undefined)
        return { formatOk: false, thought: null, answer: null };
      const at = completion.tokens.indexOf(v.END_THINK);
      const thought = at < 0 ? null : v.tokensToText(completion.tokens.slice(1, at));
      const body = completion.tokens.slice(at + 1, -1);
      return { formatOk: true, thought, answer: answerOf(kind, body) };
    },

    text: v.tokensToText,
  };
}

/** Of the plain domain. */
export const tinyCodec: PolicyCodec = tinyCodecOf(MAX_OPERATIONS);

function answerOf(kind: TaskKind, body: readonly number[]): string {
  switch (kind) {
    case 'induction':
      return renderOperations(body.map(v.operationOf));
    case 'error':
      return v.errorNameAt(body[0] ?? v.END);
    case 'deduction':
    case 'abduction':
      return renderList(body.map(v.digitOf));
  }
}

/** The operations of the one function that this policy can be given. */
function givenOperations(functions: readonly string[]): readonly number[] {
  const [definition = ''] = functions;
  const operations = functions.length === 1 ? definitionOperations(definition) : undefined;
  if (operations === undefined)
    throw new RangeError(
      `functions has ${functions.length} definitions: ${functions.join('; ')}; accepted is one g_0 of the tiny domain`,
    );
  return operations;
}

function accepted(code: string, inputs: readonly string[]): ParsedProposal {
  return {
    ok: true,
    formatOk: true,
    code,
    originalCode: code,
    inputs,
    message: null,
    imports: [],
    thought: null,
  };
}

function malformed(
  grammar: GrammarTable,
  start: string,
  completion: Completion,
): { reason: string; detail: string } | undefined {
  if (completion.finish === 'length')
    return { reason: 'unfinished', detail: `no end after ${completion.tokens.length} tokens` };
  if (!accepts(grammar, start, completion.tokens))
    return {
      reason: 'malformed',
      detail: `not a sentence of ${start}: ${v.tokensToText(completion.tokens)}`,
    };
  return undefined;
}

function viewTokens(kind: TaskKind, view: SolverView): number[] {
  switch (kind) {
    case 'deduction':
    case 'error':
      return [
        ...programTokens(required(view.code, 'code')),
        v.SEMICOLON,
        ...listTokens(required(view.input, 'input')),
      ];
    case 'abduction':
      return [
        ...programTokens(required(view.code, 'code')),
        v.ARROW,
        ...listTokens(required(view.output, 'output')),
      ];
    case 'induction':
      return view.givenPairs.flatMap((pair, i) => [
        ...(i === 0 ? [] : [v.BAR]),
        ...listTokens(pair.input),
        v.ARROW,
        ...listTokens(pair.output),
      ]);
  }
}

function referenceTokens(reference: ProposalReference): number[] {
  return [v.REFERENCE, ...programTokens(reference.code), v.SEMICOLON, ...listTokens(reference.input)];
}

/** A program's operations, calls of a given function expanded. */
export function programTokens(code: string): number[] {
  const operations = expandedOperations(code);
  if (operations === undefined)
    throw new RangeError(
      `program is not of the tiny domain; accepted are 1 to ${mostExpanded(MOST_OPERATIONS)} of its operations: ${code}`,
    );
  return operations.map(v.operationToken);
}

export function listTokens(text: string): number[] {
  const list = parseList(text);
  if (list === undefined)
    throw new RangeError(
      `value ${JSON.stringify(text)} is not of the tiny domain; accepted are lists of digits`,
    );
  return list.map(v.digitToken);
}

function required<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) throw new TypeError(`${name} is missing; this prompt needs it`);
  return value;
}
