/**
 * Rows for the warm-up: the tiny policy's stand-in for a pretrained base model.
 *
 * Next-token prediction on programs and inputs drawn uniformly from the grammar and executed by the domain's own
 * operations; no data from outside. Proposals have every length; solutions are short ones mostly, so that self-play has
 * something left to teach. Held-out pairs are never drawn.
 *
 * Deviation from the paper: AZR starts from a pretrained model and has no warm-up.
 */
import type { LearnRow } from '../port.js';
import { cumulative, Random } from '../../random.js';
import { PLAIN, type TinyFeatures } from './features.js';
import { INDUCTION_INPUTS } from './grammar.js';
import { drawInputFor, drawProgram } from './generator.js';
import { trace } from './operations.js';
import * as v from './vocabulary.js';
import { extendedRow, type TokenPair } from './warm-up-extended.js';

export interface WarmUpMix {
  /** Share of rows in which the policy proposes; the others solve. */
  readonly proposeShare: number;
  /** Weights of program lengths 1, 2, 3 in proposals. */
  readonly proposeLengths: readonly number[];
  /** Weights of program lengths 1, 2, 3 in solutions. */
  readonly solveLengths: readonly number[];
  /** References in a proposer's prompt: 0 to this many. */
  readonly maxReferences: number;
}

const KINDS = ['deduction', 'abduction', 'induction'] as const;
type PlainKind = (typeof KINDS)[number];

/** @param seed from coordinates (run, `warm-up`, step). @returns `rows` likelihood rows. */
export function warmUpRows(
  seed: number,
  rows: number,
  mix: WarmUpMix,
  features: TinyFeatures = PLAIN,
): LearnRow[] {
  const kinds = features.error ? ([...KINDS, 'error'] as const) : KINDS;
  const random = new Random(seed);
  const proposeLengths = cumulative(mix.proposeLengths);
  const solveLengths = cumulative(mix.solveLengths);
  const plainRow = (random: Random, kind: PlainKind, propose: boolean): TokenPair =>
    propose
      ? proposeRow(
          random,
          kind,
          drawProgram(random, 1 + random.weighted(proposeLengths)),
          mix.maxReferences,
          proposeLengths,
        )
      : solveRow(random, kind, drawProgram(random, 1 + random.weighted(solveLengths)));
  return Array.from({ length: rows }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? 'deduction';
    const propose = random.uniform() < mix.proposeShare;
    const lengths = propose ? proposeLengths : solveLengths;
    const extended = extendedRow(random, features, {
      kind,
      propose,
      lengths,
      maxReferences: mix.maxReferences,
    });
    const row = extended ?? plainRow(random, kind as PlainKind, propose);
    const group = `${propose ? 'propose' : 'solve'}.${kind}`;
    return { id: `${seed}.${index}`, group, grammar: group, logProbs: [], advantage: 0, ...row };
  });
}

function proposeRow(
  random: Random,
  kind: PlainKind,
  operations: readonly number[],
  maxReferences: number,
  lengths: readonly number[],
): TokenPair {
  const program = operations.map(v.operationToken);
  if (kind === 'induction') {
    const inputs = Array.from({ length: INDUCTION_INPUTS }, () =>
      drawInputFor(random, operations).map(v.digitToken),
    );
    return {
      prompt: [v.token('propose.induction'), ...program],
      completion: [...inputs.flatMap((input, i) => (i === 0 ? input : [v.BAR, ...input])), v.END],
    };
  }
  const references = Array.from({ length: random.below(maxReferences + 1) }, () => {
    const other = drawProgram(random, 1 + random.weighted(lengths));
    return [
      v.REFERENCE,
      ...other.map(v.operationToken),
      v.SEMICOLON,
      ...drawInputFor(random, other).map(v.digitToken),
    ];
  });
  return {
    prompt: [v.token(`propose.${kind}`), ...references.flat()],
    completion: [...program, v.SEMICOLON, ...drawInputFor(random, operations).map(v.digitToken), v.END],
  };
}

function solveRow(random: Random, kind: PlainKind, operations: readonly number[]): TokenPair {
  const program = operations.map(v.operationToken);
  const input = drawInputFor(random, operations);
  const states = trace(operations, input);
  const digits = (x: readonly number[] | undefined): number[] => (x ?? []).map(v.digitToken);
  const output = digits(states.at(-1));
  const joined = (lists: readonly (readonly number[])[]): number[] =>
    lists.flatMap((list, i) => (i === 0 ? digits(list) : [v.BAR, ...digits(list)]));
  switch (kind) {
    case 'deduction':
      return {
        prompt: [v.token('solve.deduction'), ...program, v.SEMICOLON, ...digits(input)],
        completion: [v.THINK, ...joined(states.slice(0, -1)), v.END_THINK, ...output, v.END],
      };
    case 'abduction':
      return {
        prompt: [v.token('solve.abduction'), ...program, v.ARROW, ...output],
        completion: [v.THINK, ...joined(states.slice(0, -1).reverse()), v.END_THINK, ...digits(input), v.END],
      };
    case 'induction': {
      const second = drawInputFor(random, operations);
      return {
        prompt: [
          v.token('solve.induction'),
          ...digits(input),
          v.ARROW,
          ...output,
          v.BAR,
          ...digits(second),
          v.ARROW,
          ...digits(trace(operations, second).at(-1)),
        ],
        completion: [
          v.THINK,
          ...operations.flatMap((operation, i) => [v.operationToken(operation), ...digits(states[i])]),
          v.END_THINK,
          ...program,
          v.END,
        ],
      };
    }
  }
}
