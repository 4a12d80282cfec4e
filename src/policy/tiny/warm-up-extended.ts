/**
 * Warm-up rows of error prediction and composite programs (warm-up.ts has those of the plain domain): drawn uniformly from
 * the extended grammar and executed by the domain's own operations.
 */
import type { Random } from '../../random.js';
import { NO_ERROR } from '../../tasks/error-prediction.js';
import type { TaskKind } from '../../tasks/types.js';
import type { TinyFeatures } from './features.js';
import { drawInputFor, drawProgram } from './generator.js';
import { OPERATIONS } from './operations.js';
import { PARTIAL_OPERATIONS } from './partial-operations.js';
import { expand, GIVEN, runOperations, withinBounds } from './programs.js';
import * as v from './vocabulary.js';

export interface TokenPair {
  readonly prompt: readonly number[];
  readonly completion: readonly number[];
}

/** Share of the rows of kinds that propose programs which are about composite ones. */
const COMPOSITE_SHARE = 0.25;

export interface ExtendedDraw {
  readonly kind: TaskKind;
  readonly propose: boolean;
  /** Weights of program lengths from 1, cumulative. */
  readonly lengths: readonly number[];
  readonly maxReferences: number;
}

/** A row that only an extended run has; undefined where this one is to be of the plain domain. */
export function extendedRow(
  random: Random,
  features: TinyFeatures,
  draw: ExtendedDraw,
): TokenPair | undefined {
  const { kind, propose } = draw;
  const composite = features.composite && kind !== 'induction' && random.uniform() < COMPOSITE_SHARE;
  if (kind !== 'error' && !composite) return undefined;
  const drawn = composite
    ? drawComposite(random, kind, features.operations)
    : drawPlain(random, kind, 1 + random.weighted(draw.lengths));
  return propose ? proposeRow(random, draw, drawn) : solveRow(kind, drawn);
}

interface Drawn {
  /** As proposed, calls not expanded. */
  readonly operations: readonly number[];
  /** Of the given function; undefined where none is given. */
  readonly definition: readonly number[] | undefined;
  readonly expanded: readonly number[];
  readonly input: readonly number[];
}

/** Uniform over the operations of the kind. */
function drawOperations(random: Random, kind: TaskKind, length: number): number[] {
  if (kind !== 'error') return drawProgram(random, length);
  return Array.from({ length }, () => random.below(OPERATIONS.length + PARTIAL_OPERATIONS.length));
}

function drawPlain(random: Random, kind: TaskKind, length: number): Drawn {
  const operations = drawOperations(random, kind, length);
  return {
    operations,
    definition: undefined,
    expanded: operations,
    input: drawInputFor(random, operations),
  };
}

/** A program with one call, and what it calls; drawn again where it leaves the bounds, or raises where it may not. */
function drawComposite(random: Random, kind: TaskKind, longest: number): Drawn {
  for (;;) {
    const definition = drawOperations(random, kind, 1 + random.below(longest));
    const others = random.below(longest);
    const operations = others === 0 ? [] : drawOperations(random, kind, others);
    operations.splice(random.below(operations.length + 1), 0, GIVEN);
    const expanded = expand(operations, definition) ?? [];
    const input = drawInputFor(random, expanded);
    if (!withinBounds(expanded, input, longest)) continue;
    if (kind === 'error' || runOperations(expanded, input).error === NO_ERROR)
      return { operations, definition, expanded, input };
  }
}

const tokensOf = (operations: readonly number[]): number[] => operations.map(v.operationToken);
const digits = (x: readonly number[]): number[] => x.map(v.digitToken);

function proposeRow(
  random: Random,
  { kind, lengths, maxReferences }: ExtendedDraw,
  { operations, definition, input }: Drawn,
): TokenPair {
  const references = Array.from({ length: random.below(maxReferences + 1) }, () => {
    const other = drawPlain(random, kind, 1 + random.weighted(lengths));
    return [v.REFERENCE, ...tokensOf(other.operations), v.SEMICOLON, ...digits(other.input)];
  });
  return {
    prompt: [
      v.token(`propose.${kind}`),
      ...(definition === undefined ? [] : [v.CALL, ...tokensOf(definition)]),
      ...references.flat(),
    ],
    completion: [...tokensOf(operations), v.SEMICOLON, ...digits(input), v.END],
  };
}

function solveRow(kind: TaskKind, { expanded, input }: Drawn): TokenPair {
  const { states, error } = runOperations(expanded, input);
  const output = digits(states.at(-1) ?? []);
  const program = tokensOf(expanded);
  // Backwards, each operation undone, the list before it.
  if (kind === 'abduction')
    return {
      prompt: [v.token('solve.abduction'), ...program, v.ARROW, ...output],
      completion: [
        v.THINK,
        ...stepsOf([...expanded].reverse(), [input, ...states.slice(0, -1)].reverse()),
        v.END_THINK,
        ...digits(input),
        v.END,
      ],
    };
  // Up to the operation that raises, which leaves no list.
  const done = error === NO_ERROR ? expanded : expanded.slice(0, states.length + 1);
  return {
    prompt: [v.token(`solve.${kind}`), ...program, v.SEMICOLON, ...digits(input)],
    completion: [
      v.THINK,
      ...stepsOf(done, states),
      v.END_THINK,
      ...(kind === 'error' ? [v.errorToken(error)] : output),
      v.END,
    ],
  };
}

function stepsOf(operations: readonly number[], lists: readonly (readonly number[])[]): number[] {
  return operations.flatMap((operation, i) => [v.operationToken(operation), ...digits(lists[i] ?? [])]);
}
