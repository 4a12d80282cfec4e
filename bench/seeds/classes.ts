/**
 * What a stored pair (program, input, output) is worth beside the sandbox's own answer: `equal`, or the one class that
 * explains why not. The first class of the list that holds is taken; `unclassified` must not happen.
 *
 * Classes speak of the stored row first (what is not there cannot be compared), then of what the program did here.
 */
import { equalLiterals, literalKey } from '../../src/sandbox/index.js';
import type { Outcome } from '../../src/sandbox/port.js';

export const PAIR_CLASSES = [
  'equal',
  'equal-expression',
  'stored-empty',
  'stored-truncated',
  'stored-not-literal',
  'input-fails',
  'missing-module',
  'not-literal-output',
  'hash-order',
  'address',
  'chance-or-clock',
  'too-large',
  'file-access',
  'state-between-calls',
  'unclassified',
] as const;
export type PairClass = (typeof PAIR_CLASSES)[number];

/** What the classes mean, for the table. */
export const MEANINGS: Readonly<Record<PairClass, string>> = {
  equal: 'the same value',
  'equal-expression':
    'the same value; the input is an expression, evaluated inside the sandbox (no task may have one)',
  'stored-empty': 'the row stores no output',
  'stored-truncated': 'the row stores 200 characters, dots and 200 characters',
  'stored-not-literal': 'the row stores a text that is no literal',
  'input-fails': 'the input is an expression that fails or loops when it is evaluated inside the sandbox',
  'missing-module': 'the program imports a package that the sandbox does not have',
  'not-literal-output': 'the program gives an object that is no literal',
  'hash-order': 'the result changes with the hash seed alone',
  address: 'the result hangs on addresses of objects',
  'chance-or-clock': 'two runs under one hash seed differ',
  'too-large': 'the result is over the limits of text, items or depth',
  'file-access': 'the program wants to open a file or to write',
  'state-between-calls': 'the stored output is that of a program called twice in one process',
  unclassified: 'not explained',
};

/** What was seen of one pair. */
export interface PairEvidence {
  readonly stored: string;
  /** Outcome under two or three seeds. */
  readonly outcome: Outcome;
  /** The input is no literal: it was made part of the program. */
  readonly expression: boolean;
  /** For nondeterministic outcomes: two runs under the first seed alone. */
  readonly sameSeed?: readonly [Outcome, Outcome];
  /** The program's text asks for identities. */
  readonly usesId: boolean;
  /** For differing values: the outcome after a second call in the same namespace, where it was asked for. */
  readonly afterSecondCall?: Outcome;
}

/** The published executor keeps 200 characters of either end of a longer text. */
const isTruncated = (stored: string): boolean => stored.length === 403 && stored.slice(200, 203) === '...';
/** An address as the default repr prints it. */
const ADDRESS = /0x[0-9a-f]{9,16}/;

/** The class of one pair. */
export function classify(pair: PairEvidence): PairClass {
  const { stored, outcome } = pair;
  if (outcome.kind === 'value' && equalLiterals(stored, outcome.text))
    return pair.expression ? 'equal-expression' : 'equal';
  if (stored.trim() === '') return 'stored-empty';
  if (isTruncated(stored)) return 'stored-truncated';
  switch (outcome.kind) {
    case 'refused':
    case 'timeout':
      return pair.expression ? 'input-fails' : 'unclassified';
    case 'not-literal':
      return 'not-literal-output';
    case 'too-large':
      return 'too-large';
    case 'nondeterministic':
      return classOfChance(pair);
    case 'raised':
      if (outcome.error === 'ModuleNotFoundError') return 'missing-module';
      if (['PermissionError', 'FileNotFoundError'].includes(outcome.error)) return 'file-access';
      return pair.expression ? 'input-fails' : 'unclassified';
    case 'value':
      if (!literalKey(stored).ok) return 'stored-not-literal';
      return isValue(pair.afterSecondCall, stored) ? 'state-between-calls' : 'unclassified';
    case 'memory':
    case 'killed':
    case 'nan':
    case 'no-result':
      return 'unclassified';
  }
}

function classOfChance({ sameSeed, usesId }: PairEvidence): PairClass {
  if (sameSeed === undefined) return 'unclassified';
  const [first, second] = sameSeed;
  if (first.kind !== second.kind) return 'chance-or-clock';
  const texts = [first, second].map((outcome) => (outcome.kind === 'value' ? outcome.text : outcome.kind));
  if (usesId || texts.some((text) => ADDRESS.test(text))) return 'address';
  return texts[0] === texts[1] ? 'hash-order' : 'chance-or-clock';
}

function isValue(outcome: Outcome | undefined, stored: string): boolean {
  return outcome?.kind === 'value' && equalLiterals(stored, outcome.text);
}
