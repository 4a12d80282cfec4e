/**
 * Rows for the warm-up: the tiny policy's stand-in for a pretrained base model.
 *
 * Next-token prediction on programs and inputs drawn uniformly from the grammar and executed by the domain's own
 * operations; no data from outside. Proposals have every length. Solutions come with a thought or without one: whether
 * thinking pays is for self-play to find out. Held-out pairs are never drawn.
 *
 * Deviation from the paper: AZR starts from a pretrained model and has no warm-up.
 */
import type { LearnRow } from '../port.js';
import { cumulative, Random } from '../../random.js';
import { PLAIN, type TinyFeatures } from './features.js';
import { INDUCTION_INPUTS, MAX_INDUCTION_THOUGHT } from './grammar.js';
import { canonicalProgram } from './canonical.js';
import { drawInputFor, drawProgram } from './generator.js';
import { trace } from './operations.js';
import * as v from './vocabulary.js';
import { extendedRow, type TokenPair } from './warm-up-extended.js';

export interface WarmUpMix {
  /** Share of rows in which the policy proposes; the others solve. */
  readonly proposeShare: number;
  /** Weights of program lengths, from 1, in proposals. */
  readonly proposeLengths: readonly number[];
  /** Weights of program lengths, from 1, in solutions. */
  readonly solveLengths: readonly number[];
  /** The same of solutions without a thought; null: as with one. */
  readonly directLengths: readonly number[] | null;
  /** Shares of deduction, abduction and induction solutions with a thought. */
  readonly thinkShares: readonly number[];
  /** Weights of deduction, abduction, induction. */
  readonly kinds: readonly number[];
  /** References in a proposer's prompt: 0 to this many. */
  readonly maxReferences: number;
  /** `drawn`: induction's answers are the programs drawn. `canonical`: their canonical equivalents (canonical.ts). */
  readonly inductionTargets: InductionTargets;
}

export const INDUCTION_TARGETS = ['drawn', 'canonical'] as const;
export type InductionTargets = (typeof INDUCTION_TARGETS)[number];

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
  const kindWeights = cumulative(features.error ? [...mix.kinds, mean(mix.kinds)] : mix.kinds);
  const directLengths = cumulative(mix.directLengths ?? mix.solveLengths);
  const plainRow = (kind: PlainKind, propose: boolean): TokenPair => {
    if (propose)
      return proposeRow(
        random,
        kind,
        drawProgram(random, 1 + random.weighted(proposeLengths)),
        mix,
        proposeLengths,
      );
    const thinks = random.uniform() < (mix.thinkShares[KINDS.indexOf(kind)] ?? 0);
    const length = 1 + random.weighted(thinks ? solveLengths : directLengths);
    const drawn = drawProgram(random, length);
    // Before inputs are drawn for it: what is held out is a matter of the program that the row shows.
    if (kind !== 'induction') return solveRow(random, kind, drawn, thinks);
    const answer = mix.inductionTargets === 'canonical' ? canonicalProgram(drawn) : drawn;
    return solveRow(random, kind, answer, thinks && answer.length <= MAX_INDUCTION_THOUGHT);
  };
  return Array.from({ length: rows }, (_, index) => {
    const kind = kinds[random.weighted(kindWeights)] ?? 'deduction';
    const propose = random.uniform() < mix.proposeShare;
    const lengths = propose ? proposeLengths : solveLengths;
    const extended = extendedRow(random, features, {
      kind,
      propose,
      lengths,
      maxReferences: mix.maxReferences,
    });
    const row = extended ?? plainRow(kind as PlainKind, propose);
    const group = `${propose ? 'propose' : 'solve'}.${kind}`;
    return { id: `${seed}.${index}`, group, grammar: group, logProbs: [], advantage: 0, ...row };
  });
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

const digits = (x: readonly number[] | undefined): number[] => (x ?? []).map(v.digitToken);

function proposeRow(
  random: Random,
  kind: PlainKind,
  operations: readonly number[],
  mix: WarmUpMix,
  lengths: readonly number[],
): TokenPair {
  const program = operations.map(v.operationToken);
  if (kind === 'induction') {
    const inputs = Array.from({ length: INDUCTION_INPUTS }, () => digits(drawInputFor(random, operations)));
    return {
      prompt: [v.token('propose.induction'), ...program],
      completion: [...joined(inputs, v.BAR), v.END],
    };
  }
  const references = Array.from({ length: random.below(mix.maxReferences + 1) }, () => {
    const other = drawProgram(random, 1 + random.weighted(lengths));
    return [v.REFERENCE, ...other.map(v.operationToken), v.SEMICOLON, ...digits(drawInputFor(random, other))];
  });
  return {
    prompt: [v.token(`propose.${kind}`), ...references.flat()],
    completion: [...program, v.SEMICOLON, ...digits(drawInputFor(random, operations)), v.END],
  };
}

function solveRow(
  random: Random,
  kind: PlainKind,
  operations: readonly number[],
  thinks: boolean,
): TokenPair {
  const program = operations.map(v.operationToken);
  const input = drawInputFor(random, operations);
  const states = trace(operations, input);
  const output = digits(states.at(-1));
  const thought = (tokens: () => readonly number[]): readonly number[] =>
    thinks ? [v.THINK, ...tokens(), v.END_THINK] : [];
  switch (kind) {
    case 'deduction':
      return {
        prompt: [v.token('solve.deduction'), ...program, v.SEMICOLON, ...digits(input)],
        completion: [...thought(() => stepsOf(operations, states)), ...output, v.END],
      };
    case 'abduction': {
      // Backwards: each operation undone, the list before it.
      const before = [input, ...states.slice(0, -1)];
      return {
        prompt: [v.token('solve.abduction'), ...program, v.ARROW, ...output],
        completion: [
          ...thought(() => stepsOf([...operations].reverse(), before.reverse())),
          ...digits(input),
          v.END,
        ],
      };
    }
    case 'induction': {
      const inputs = [
        input,
        ...Array.from({ length: INDUCTION_INPUTS / 2 - 1 }, () => drawInputFor(random, operations)),
      ];
      return {
        prompt: [v.token('solve.induction'), ...pairsLeft(operations, 0, inputs)],
        completion: [
          ...thought(() =>
            operations.flatMap((operation, n) => [
              ...(n === 0 ? [] : pairsLeft(operations, n, inputs)),
              v.operationToken(operation),
            ]),
          ),
          ...program,
          v.END,
        ],
      };
    }
  }
}

function stepsOf(operations: readonly number[], lists: readonly (readonly number[])[]): number[] {
  return operations.flatMap((operation, i) => [v.operationToken(operation), ...digits(lists[i])]);
}

/** An induction task's pairs once the first `done` operations are applied: what the others have to explain. */
function pairsLeft(
  operations: readonly number[],
  done: number,
  inputs: readonly (readonly number[])[],
): number[] {
  const pairs = inputs.map((input) => {
    const states = [input, ...trace(operations, input)];
    return [...digits(states[done]), v.ARROW, ...digits(states.at(-1))];
  });
  return joined(pairs, v.BAR);
}

function joined(parts: readonly (readonly number[])[], separator: number): number[] {
  return parts.flatMap((part, i) => (i === 0 ? [...part] : [separator, ...part]));
}
