/** Stored pairs, run again in the sandbox, with the evidence that each difference needs. */
import { equalLiterals, isLiteralArguments } from '../../src/sandbox/index.js';
import type { ExecutionRequest, Outcome, Sandbox } from '../../src/sandbox/port.js';
import { classify, type PairClass } from './classes.js';

/** A program with its stored inputs and outputs, and where it stands. */
export interface StoredProgram {
  readonly line: number;
  readonly code: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface PairResult {
  readonly line: number;
  /** From 0, in its row. */
  readonly pair: number;
  readonly input: string;
  readonly stored: string;
  readonly outcome: Outcome;
  readonly class: PairClass;
}

/**
 * Calls f twice in one namespace and gives the first call's result as it is after the second, which is what the published
 * executor stores: it compares a second call before it prints the first result. The name f is given back first, so that
 * a recursive program does not double at each level.
 */
const CALLED_TWICE = `
_once = f
def f(*arguments, **named):
    global f
    import copy
    f = _once
    again, named_again = copy.deepcopy((arguments, named))
    first = f(*arguments, **named)
    f(*again, **named_again)
    return first
`;

/**
 * A program that calls f with an input that is an expression (`f(1)`, `'a' * 3`, a lambda). The stored files are data
 * that someone vouches for, and what they hold is still evaluated inside; inputs of tasks are never treated so.
 */
const withInput = (code: string, input: string): string =>
  `${code}\n_inner = f\ndef f():\n global f\n f = _inner\n return f(\n${input}\n)\n`;

interface Part extends StoredProgram {
  /** Which pairs of the row these are. */
  readonly pairs: readonly number[];
  /** The one input is part of the program. */
  readonly expression: boolean;
}

/** A row with its literal inputs, and one for each input that is none. */
function split(program: StoredProgram): readonly Part[] {
  const { line, code, inputs, outputs } = program;
  const literal = inputs.flatMap((input, pair) => (isLiteralArguments(input).ok ? [pair] : []));
  const output = (pair: number): string => {
    const stored = outputs[pair];
    if (stored === undefined) throw new Error(`line ${line}: pair ${pair} has no stored output`);
    return stored;
  };
  const of = (pairs: readonly number[]) => ({ pairs, outputs: pairs.map(output) });
  const whole = {
    line,
    code,
    expression: false,
    inputs: literal.map((pair) => inputs[pair] ?? ''),
    ...of(literal),
  };
  const alone = inputs.flatMap((input, pair) =>
    literal.includes(pair)
      ? []
      : [{ line, code: withInput(code, input), expression: true, inputs: [''], ...of([pair]) }],
  );
  return literal.length > 0 ? [whole, ...alone] : alone;
}

/** Runs every pair under two seeds (three where the program sees a hash order); results in the order of the rows. */
export async function rerun(
  sandbox: Sandbox,
  stored: readonly StoredProgram[],
): Promise<readonly PairResult[]> {
  const programs = stored.flatMap(split);
  const analyses = await sandbox.analyse(programs.map(({ code }) => code));
  const results = await sandbox.runMany(
    programs.map(({ code, inputs }, i): ExecutionRequest => ({
      id: String(i),
      code,
      inputs,
      seeds: analyses[i]?.ordered === true ? 3 : 2,
    })),
  );
  const all = await Promise.all(
    programs.flatMap((program, i) =>
      program.inputs.map((input, k) => pairResult(sandbox, program, k, input, results[i]?.outcomes[k])),
    ),
  );
  return all.sort((a, b) => a.line - b.line || a.pair - b.pair);
}

async function pairResult(
  sandbox: Sandbox,
  { line, code, pairs, outputs, expression }: Part,
  k: number,
  input: string,
  outcome: Outcome | undefined,
): Promise<PairResult> {
  const stored = outputs[k];
  const pair = pairs[k];
  if (outcome === undefined || stored === undefined || pair === undefined)
    throw new Error(`line ${line}: input ${k} has no outcome`);
  const alone = async (text: string): Promise<Outcome> => {
    const { outcomes } = await sandbox.run({ id: 'alone', code: text, inputs: [input], class: 'strict' });
    return outcomes[0] as Outcome;
  };
  const found = classify({
    stored,
    outcome,
    expression,
    usesId: /\bid\s*\(/.test(code),
    ...(outcome.kind === 'nondeterministic'
      ? { sameSeed: [await alone(code), await alone(code)] as const }
      : {}),
    ...(outcome.kind === 'value' && !equalLiterals(stored, outcome.text)
      ? { afterSecondCall: await alone(`${code}\n${CALLED_TWICE}`) }
      : {}),
  });
  return { line, pair, input, stored, outcome, class: found };
}
