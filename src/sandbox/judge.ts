/**
 * The scoring of self-play (arXiv 2505.03335, section 3.3): is an answer right?
 *
 *   deduction  the answer's literal equals the gold output by Python's ==; nothing runs
 *   abduction  f(answer) equals the gold output: any input that gives the output is right
 *   induction  the answer is a program; accuracy = share of hidden pairs it maps rightly, correct where all are
 *   error      the answer's first word, cut at a colon, is the gold class whatever its case; nothing runs
 *
 * Gold values stay here: programs get inputs only and return text, which is parsed and compared as data. Deviation from
 * the published code: answers are never evaluated, pairs that raise count as wrong, None results are values.
 */
import type { Analysis, ExecutionRequest, ExecutionResult, Limits, Outcome, Sandbox } from './port.js';
import { errorNameOf } from '../tasks/error-prediction.js';
import { TASK_KINDS, type TaskKind } from '../tasks/types.js';
import { equalLiterals, literalKey } from './values.js';

export interface JudgePair {
  readonly input: string;
  readonly output: string;
}

/** One answer to judge. Induction needs `pairs`, the other kinds need `output`. */
export interface JudgeItem {
  readonly id: string;
  readonly kind: TaskKind;
  /** The task's program; for induction nothing is asked of it. */
  readonly code: string;
  readonly input?: string;
  readonly output?: string;
  /** Output literal, argument text, program text or name of a class, by kind. */
  readonly answer: string;
  readonly pairs?: readonly JudgePair[];
}

/** Why an answer is right or wrong: `correct`, `wrong`, `not-literal`, `gold-not-literal`, or the outcome that stood in the way. */
export type VerdictReason =
  | 'correct'
  | 'wrong'
  | 'not-literal'
  | 'gold-not-literal'
  | 'not-literal-output'
  | Exclude<Outcome['kind'], 'value' | 'not-literal'>;

export interface Verdict {
  readonly id: string;
  /** Share of pairs that are right, 0..1; with a single comparison 0 or 1. */
  readonly accuracy: number;
  /** All of them are right. */
  readonly correct: boolean;
  readonly reason: VerdictReason;
}

export interface Execution {
  readonly request: ExecutionRequest;
  readonly result: ExecutionResult;
}

export interface JudgeOptions {
  readonly limits?: Partial<Limits>;
}

type Score = Omit<Verdict, 'id'>;
const RIGHT: Score = { accuracy: 1, correct: true, reason: 'correct' };
const wrong = (reason: VerdictReason): Score => ({ accuracy: 0, correct: false, reason });

/** Compares an answer with the gold output as values. Both are texts; nothing is evaluated. */
export function judgeDeduction(gold: string, answer: string): Score {
  const expected = literalKey(gold);
  if (!expected.ok) return wrong('gold-not-literal');
  const given = literalKey(answer);
  if (!given.ok) return wrong(given.reason === 'nan' ? 'wrong' : 'not-literal');
  return given.key === expected.key ? RIGHT : wrong('wrong');
}

/** Compares the outcome of `f(answer)` with the gold output. */
export function judgeAbduction(gold: string, outcome: Outcome): Score {
  return literalKey(gold).ok ? compare(gold, outcome) : wrong('gold-not-literal');
}

/** Compares the class that the answer names with the gold one (or `NoError`), without regard to case. */
export function judgeError(gold: string, answer: string): Score {
  return errorNameOf(answer).toLowerCase() === gold.toLowerCase() ? RIGHT : wrong('wrong');
}

/** Compares the outcomes of the candidate on the hidden inputs with their outputs. No pairs is an error. */
export function judgeInduction(golds: readonly string[], outcomes: readonly Outcome[]): Score {
  if (golds.length === 0 || golds.length !== outcomes.length)
    throw new RangeError(
      `pairs: ${golds.length} outputs and ${outcomes.length} outcomes; accepted are equal numbers, at least 1`,
    );
  const scores = golds.map((gold, i) => judgeAbduction(gold, outcomes[i] as Outcome));
  const accuracy = scores.filter(({ correct }) => correct).length / scores.length;
  const failed = scores.find(({ correct }) => !correct);
  return failed === undefined ? RIGHT : { accuracy, correct: false, reason: failed.reason };
}

function compare(gold: string, outcome: Outcome): Score {
  if (outcome.kind === 'value') return equalLiterals(gold, outcome.text) ? RIGHT : wrong('wrong');
  return wrong(outcome.kind === 'not-literal' ? 'not-literal-output' : outcome.kind);
}

/**
 * Judges many answers. Inputs that several answers ask of one program are run once, in one execution; the executions
 * that were run are returned, each under the id of the first item that needed it. A program that the static check does
 * not find free of outside influence runs under two seeds, so that luck or a clock gives `nondeterministic`, not a
 * verdict that a replay would contradict. Throws TypeError for an item that lacks what its kind needs.
 */
export async function judgeMany(
  sandbox: Sandbox,
  items: readonly JudgeItem[],
  options: JudgeOptions = {},
): Promise<{ readonly verdicts: readonly Verdict[]; readonly executions: readonly Execution[] }> {
  const wanted = new Map<string, { readonly id: string; readonly inputs: Map<string, number> }>();
  for (const item of items) {
    checkItem(item);
    if (item.kind === 'deduction' || item.kind === 'error') continue;
    const program = programOf(item);
    const entry = wanted.get(program) ?? { id: item.id, inputs: new Map<string, number>() };
    wanted.set(program, entry);
    for (const input of inputsOf(item))
      if (!entry.inputs.has(input)) entry.inputs.set(input, entry.inputs.size);
  }
  const programs = [...wanted.keys()];
  const analyses = await sandbox.analyse(programs);
  const requests = [...wanted].map(([code, { id, inputs }], i): ExecutionRequest => ({
    id,
    code,
    inputs: [...inputs.keys()],
    seeds: seedsOf(analyses[i]),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  }));
  const results = await sandbox.runMany(requests);
  const resultOf = new Map(programs.map((program, i) => [program, results[i] as ExecutionResult]));
  const outcome = (item: JudgeItem, input: string): Outcome => {
    const program = programOf(item);
    const k = wanted.get(program)?.inputs.get(input);
    const found = k === undefined ? undefined : resultOf.get(program)?.outcomes[k];
    if (found === undefined) throw new Error(`no outcome for item ${item.id}`);
    return found;
  };
  const verdicts = items.map((item): Verdict => {
    switch (item.kind) {
      case 'deduction':
        return { id: item.id, ...judgeDeduction(item.output ?? '', item.answer) };
      case 'error':
        return { id: item.id, ...judgeError(item.output ?? '', item.answer) };
      case 'abduction':
        return { id: item.id, ...judgeAbduction(item.output ?? '', outcome(item, item.answer)) };
      case 'induction': {
        const pairs = item.pairs ?? [];
        const outcomes = pairs.map(({ input }) => outcome(item, input));
        return {
          id: item.id,
          ...judgeInduction(
            pairs.map(({ output }) => output),
            outcomes,
          ),
        };
      }
    }
  });
  return {
    verdicts,
    executions: requests.map((request, i) => ({ request, result: results[i] as ExecutionResult })),
  };
}

/** One seed is enough where nothing outside the program's text can show in its results. */
function seedsOf(analysis: Analysis | undefined): 1 | 2 {
  return analysis?.pure === true && !analysis.ordered ? 1 : 2;
}

function programOf(item: JudgeItem): string {
  return item.kind === 'induction' ? item.answer : item.code;
}

function inputsOf(item: JudgeItem): readonly string[] {
  return item.kind === 'induction' ? (item.pairs ?? []).map(({ input }) => input) : [item.answer];
}

/** Throws TypeError naming what the item lacks. */
export function checkItem(item: JudgeItem): void {
  const lacks = (name: string, value: unknown, accepted: string): never => {
    throw new TypeError(`item ${String(item.id)}: ${name} is ${describe(value)}; accepted is ${accepted}`);
  };
  if (typeof item.id !== 'string') lacks('id', item.id, 'a text');
  if (!TASK_KINDS.includes(item.kind)) lacks('kind', item.kind, `one of ${TASK_KINDS.join(', ')}`);
  if (typeof item.answer !== 'string') lacks('answer', item.answer, 'a text');
  if (item.kind === 'induction') {
    const pairs: unknown = item.pairs;
    const isPair = (pair: unknown): boolean =>
      typeof pair === 'object' &&
      pair !== null &&
      typeof (pair as JudgePair).input === 'string' &&
      typeof (pair as JudgePair).output === 'string';
    if (!Array.isArray(pairs) || pairs.length === 0 || !pairs.every(isPair))
      lacks('pairs', pairs, 'a list of at least one {input, output} of texts');
    return;
  }
  if (typeof item.output !== 'string') lacks('output', item.output, 'a text');
  if (item.kind === 'abduction' && typeof item.code !== 'string') lacks('code', item.code, 'a text');
}

function describe(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
