/**
 * The tiny policy's prompts: a role symbol, then programs and lists as symbols.
 *
 *   propose.deduction [# program ; input]*          -> program ; input
 *   propose.induction program                        -> input | input | input | input
 *   solve.deduction   program ; input                -> [<think> (operation list)+ </think>] output
 *   solve.abduction   program -> output              -> [<think> (operation list)+, last first </think>] input
 *   solve.induction   input -> output | input -> output -> [<think> (operation list)+ </think>] program
 *
 * Programs leave as real Python and come back from it (operations.ts); nothing else of the system knows these symbols.
 */
import type { Completion, PolicyCodec, Prompt, ProposalReference } from '../codec.js';
import type { ParsedProposal, ParsedSolution, SolverView, TaskKind } from '../../tasks/types.js';
import { accepts, TINY_GRAMMAR } from './grammar.js';
import { parseList, parseProgram, renderList, renderProgram } from './operations.js';
import * as v from './vocabulary.js';

/** Longest completions: a solved induction task of three operations; a proposal of four inputs. */
const MAX_SOLUTION_TOKENS = 36;
const MAX_PROPOSAL_TOKENS = 24;

export const tinyCodec: PolicyCodec = {
  templateVersion: 'tiny.v2',

  proposePrompt(kind, references, program): Prompt {
    const grammar = `propose.${kind}`;
    const tokens =
      kind === 'induction'
        ? [v.token(grammar), ...programTokens(required(program, 'program'))]
        : [v.token(grammar), ...references.flatMap(referenceTokens)];
    return { text: null, tokens, grammar, maxTokens: MAX_PROPOSAL_TOKENS };
  },

  parseProposal(kind, completion, program): ParsedProposal {
    const failure = malformed(`propose.${kind}`, completion);
    if (failure !== undefined) return { ok: false, formatOk: false, ...failure };
    const body = completion.tokens.slice(0, -1);
    if (kind === 'induction') {
      const code = required(program, 'program');
      const inputs = split(body, v.BAR).map((part) => renderList(part.map(v.digitOf)));
      return accepted(code, inputs);
    }
    const at = body.indexOf(v.SEMICOLON);
    const code = renderProgram(body.slice(0, at).map(v.operationOf));
    return accepted(code, [renderList(body.slice(at + 1).map(v.digitOf))]);
  },

  solvePrompt(kind, view): Prompt {
    const grammar = `solve.${kind}`;
    return {
      text: null,
      tokens: [v.token(grammar), ...viewTokens(kind, view)],
      grammar,
      maxTokens: MAX_SOLUTION_TOKENS,
    };
  },

  parseSolution(kind, completion): ParsedSolution {
    if (malformed(`solve.${kind}`, completion) !== undefined)
      return { formatOk: false, thought: null, answer: null };
    const at = completion.tokens.indexOf(v.END_THINK);
    const thought = at < 0 ? null : v.tokensToText(completion.tokens.slice(1, at));
    const body = completion.tokens.slice(at + 1, -1);
    const answer =
      kind === 'induction' ? renderProgram(body.map(v.operationOf)) : renderList(body.map(v.digitOf));
    return { formatOk: true, thought, answer };
  },

  text: v.tokensToText,
};

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

function malformed(start: string, completion: Completion): { reason: string; detail: string } | undefined {
  if (completion.finish === 'length')
    return { reason: 'unfinished', detail: `no end after ${completion.tokens.length} tokens` };
  if (!accepts(TINY_GRAMMAR, start, completion.tokens))
    return {
      reason: 'malformed',
      detail: `not a sentence of ${start}: ${v.tokensToText(completion.tokens)}`,
    };
  return undefined;
}

function viewTokens(kind: TaskKind, view: SolverView): number[] {
  switch (kind) {
    case 'deduction':
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

export function programTokens(code: string): number[] {
  const operations = parseProgram(code);
  if (operations === undefined)
    throw new RangeError(`program is not of the tiny domain; accepted are 1 to 3 of its operations: ${code}`);
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

export function split(tokens: readonly number[], separator: number): number[][] {
  const parts: number[][] = [[]];
  for (const t of tokens) {
    if (t === separator) parts.push([]);
    else parts.at(-1)?.push(t);
  }
  return parts;
}

function required<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) throw new TypeError(`${name} is missing; this prompt needs it`);
  return value;
}
