/**
 * The scoring of self-play (arXiv 2505.03335, answer verification): is an answer right? What each kind of task asks to be
 * run, and how outcomes are held against the gold output, stands in its file (tasks/); here the runs are shared and
 * carried out.
 *
 * Gold values stay here: programs get inputs only and return text, which is parsed and compared as data. Deviation from
 * the published code: answers are never evaluated, None results are values.
 */
import type { Analysis, ExecutionRequest, ExecutionResult, Limits, Outcome, Sandbox } from './port.js';
import { taskKinds } from '../tasks/index.js';
import type { Score } from '../tasks/score.js';
import { TASK_KINDS, type JudgedRun, type JudgeInput, type Pair } from '../tasks/types.js';

/** One answer to judge. Induction needs `pairs`, the other kinds need `output`. */
export interface JudgeItem extends JudgeInput {
  readonly id: string;
}

export interface Verdict extends Score {
  readonly id: string;
}

export interface Execution {
  readonly request: ExecutionRequest;
  readonly result: ExecutionResult;
}

export interface JudgeOptions {
  readonly limits?: Partial<Limits>;
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
  const runs = items.map((item) => {
    checkItem(item);
    return taskKinds[item.kind].verify.run(item);
  });
  const wanted = new Map<string, { readonly id: string; readonly inputs: Map<string, number> }>();
  for (const [i, item] of items.entries()) {
    const run = runs[i];
    if (run === undefined) continue;
    const entry = wanted.get(run.code) ?? { id: item.id, inputs: new Map<string, number>() };
    wanted.set(run.code, entry);
    for (const input of run.inputs) if (!entry.inputs.has(input)) entry.inputs.set(input, entry.inputs.size);
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
  const outcomesOf = (id: string, { code, inputs }: JudgedRun): Outcome[] =>
    inputs.map((input) => {
      const k = wanted.get(code)?.inputs.get(input);
      const found = k === undefined ? undefined : resultOf.get(code)?.outcomes[k];
      if (found === undefined) throw new Error(`no outcome for item ${id}`);
      return found;
    });
  const verdicts = items.map((item, i): Verdict => {
    const run = runs[i];
    const outcomes = run === undefined ? [] : outcomesOf(item.id, run);
    return { id: item.id, ...taskKinds[item.kind].verify.score(item, outcomes) };
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
      typeof (pair as Pair).input === 'string' &&
      typeof (pair as Pair).output === 'string';
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
