/**
 * The fuzz run. Every case goes through the judge as it stands in production (shared children, several workers) and
 * through an honest evaluation: class strict in a pool that was just started, and plain CPython for programs of the
 * grammar. What must hold:
 *
 *   hang           every batch is answered within its limits
 *   lost-worker    no interpreter dies
 *   decoy          no answer is right against an output that it does not give
 *   value-differs  no value but the honest one
 *   value-lost     no honest value is missing, and an honest answer is right
 *   plain-differs  a value is the one that plain CPython gives
 *
 * A difference counts when it comes again: a program that gives two honest evaluations two values is unsteady, not a
 * finding.
 */
import {
  createSandbox,
  equalLiterals,
  judgeMany,
  type JudgeItem,
  type LocalSandbox,
} from '../../src/sandbox/index.js';
import { findEnvironment, type Environment } from '../../src/sandbox/environment.js';
import type { ExecutionRequest, Limits, Outcome } from '../../src/sandbox/port.js';
import { FAMILIES, fuzzCase, type Family, type FuzzCase, type Material } from './cases.js';
import { evaluatePlainly, type PlainAnswer } from './plain.js';

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so many cases, ... */
  readonly cases?: number;
  /** ... or with the first batch that ends after so many seconds. */
  readonly seconds?: number;
  readonly workers?: number;
  readonly material: readonly Material[];
  readonly onBatch?: (report: FuzzReport) => void;
}

export interface Finding {
  readonly kind: 'hang' | 'lost-worker' | 'decoy' | 'value-differs' | 'value-lost' | 'plain-differs';
  readonly id: string;
  readonly code: string;
  readonly input: string;
  readonly detail: string;
}

export interface FuzzReport {
  readonly cases: Record<Family, number>;
  /** Inputs that were run. */
  inputs: number;
  /** Inputs by what came of them. */
  readonly outcomes: Record<string, number>;
  /** Values that plain CPython confirmed. */
  plain: number;
  /** Inputs whose honest evaluations disagree among themselves. */
  unsteady: number;
  /** Inputs without a value in either evaluation, for different reasons (say time-out and memory). */
  otherReason: number;
  readonly findings: Finding[];
  seconds: number;
}

const BATCH = 128;
/** A batch that is not answered after so long is a hang: four times what all limits together allow two workers. */
const PATIENCE_MS = 300_000;
const LIMITS: Partial<Limits> = { cpuMs: 250, memoryMiB: 256, resultBytes: 64 << 10 };
/** Differences are looked at again with more time. */
const AGAIN: Partial<Limits> = { ...LIMITS, cpuMs: 2000 };

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const found = await findEnvironment();
  if (!found.ok) throw new Error(`${found.missing} is missing; ${found.remedy}`);
  const report: FuzzReport = {
    cases: Object.fromEntries(FAMILIES.map((family) => [family, 0])) as Record<Family, number>,
    inputs: 0,
    outcomes: {},
    plain: 0,
    unsteady: 0,
    otherReason: 0,
    findings: [],
    seconds: 0,
  };
  const { seed, cases = Infinity, seconds = Infinity, workers = 2, material } = options;
  const started = performance.now();
  const sandbox = await createSandbox({ workers });
  try {
    const processes = await sandbox.processIds();
    for (let first = 0; first < cases && report.seconds < seconds; first += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, cases - first) }, (_, i) =>
        fuzzCase(seed, first + i, material),
      );
      const whole = { id: batch[0]?.id ?? '', code: '', input: '' };
      const answered = await within(PATIENCE_MS, oneBatch(sandbox, found.environment, batch, report));
      report.seconds = (performance.now() - started) / 1000;
      if (!answered) {
        report.findings.push({ kind: 'hang', ...whole, detail: `no answer after ${PATIENCE_MS} ms` });
        break;
      }
      const alive = await sandbox.processIds();
      const lost = processes.filter((pid) => !alive.includes(pid));
      if (lost.length > 0 || sandbox.restarts > 0) {
        report.findings.push({ kind: 'lost-worker', ...whole, detail: `${sandbox.restarts} restarts` });
        break;
      }
      options.onBatch?.(report);
    }
  } finally {
    await sandbox.close();
  }
  return report;
}

async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** Results of class strict in a pool that is started for them and ended after them. */
async function honestly(
  cases: readonly { readonly code: string; readonly inputs: readonly string[] }[],
  extra: Partial<ExecutionRequest>,
): Promise<readonly (readonly Outcome[])[]> {
  const fresh = await createSandbox({ workers: 2 });
  try {
    const requests = cases.map(({ code, inputs }, i) => ({ id: String(i), code, inputs, ...extra }));
    const results = await fresh.runMany(
      requests.map((request) => ({ ...request, class: 'strict' as const })),
    );
    return results.map(({ outcomes }) => outcomes);
  } finally {
    await fresh.close();
  }
}

async function oneBatch(
  sandbox: LocalSandbox,
  environment: Environment,
  batch: readonly FuzzCase[],
  report: FuzzReport,
): Promise<void> {
  const honest = await honestly(batch, { limits: LIMITS });
  const items = batch.flatMap((fuzzed, i) => itemsOf(fuzzed, honest[i] ?? []));
  const { verdicts, executions } = await judgeMany(
    sandbox,
    items.map(({ item }) => item),
    { limits: LIMITS },
  );
  const outcomeOf = new Map<string, Outcome>();
  for (const { request, result } of executions)
    request.inputs.forEach((input, k) =>
      outcomeOf.set(JSON.stringify([request.code, input]), result.outcomes[k] as Outcome),
    );
  verdicts.forEach((verdict, i) => {
    const { item, decoy, fuzzed } = items[i] as Item;
    if (decoy && (verdict.correct || verdict.accuracy > 0))
      report.findings.push({
        kind: 'decoy',
        ...whereOf(fuzzed, 0),
        detail: JSON.stringify({ item, verdict }),
      });
  });

  const benign = batch
    .map((fuzzed, i) => ({ fuzzed, i }))
    .filter(({ fuzzed }) => fuzzed.family === 'grammar');
  const plain = await evaluatePlainly(
    environment,
    benign.map(({ fuzzed }) => fuzzed),
  );
  const plainOf = new Map(benign.map(({ i }, n) => [i, plain[n] ?? []]));

  for (const [i, fuzzed] of batch.entries()) {
    report.cases[fuzzed.family]++;
    for (const [k, input] of fuzzed.inputs.entries()) {
      report.inputs++;
      const strict = honest[i]?.[k] as Outcome;
      const judged = outcomeOf.get(JSON.stringify([fuzzed.code, input])) as Outcome;
      report.outcomes[judged.kind] = (report.outcomes[judged.kind] ?? 0) + 1;
      await compare(sandbox, fuzzed, k, judged, strict, report);
      const second = plainOf.get(i)?.[k];
      if (second !== undefined && judged.kind === 'value') {
        if (agrees(judged, second)) report.plain += second.kind === 'value' ? 1 : 0;
        else
          report.findings.push({
            kind: 'plain-differs',
            ...whereOf(fuzzed, k),
            detail: `${JSON.stringify(judged)}; plain ${JSON.stringify(second)}`,
          });
      }
    }
  }
}

interface Item {
  readonly fuzzed: FuzzCase;
  readonly item: JudgeItem;
  readonly decoy: boolean;
}

/** Judge items of one case: the program as an answer to outputs it does not give, and its input as such an answer. */
function itemsOf(fuzzed: FuzzCase, honest: readonly Outcome[]): readonly Item[] {
  const { id, code, inputs } = fuzzed;
  // No program can know these outputs: they come from outside it and from nothing that it is given.
  const decoys = inputs.map((_, k) => `'decoy of ${id} number ${k}'`);
  const item = (kind: string, rest: Omit<JudgeItem, 'id' | 'code'>): JudgeItem => ({
    id: `${id} ${kind}`,
    code,
    ...rest,
  });
  const pairs = (outputs: readonly string[]) =>
    inputs.map((input, k) => ({ input, output: outputs[k] ?? 'None' }));
  const values = honest.map((outcome) => (outcome.kind === 'value' ? outcome.text : 'None'));
  return [
    {
      fuzzed,
      decoy: true,
      item: item('induction', { kind: 'induction', answer: code, pairs: pairs(decoys) }),
    },
    {
      fuzzed,
      decoy: true,
      item: item('abduction', { kind: 'abduction', answer: inputs[0] ?? '', output: decoys[0] ?? '1' }),
    },
    {
      fuzzed,
      decoy: true,
      item: item('deduction', { kind: 'deduction', answer: code, output: decoys[0] ?? '1' }),
    },
    {
      fuzzed,
      decoy: false,
      item: item('honest', { kind: 'induction', answer: code, pairs: pairs(values) }),
    },
  ];
}

const whereOf = ({ id, code, inputs }: FuzzCase, k: number) => ({ id, code, input: inputs[k] ?? '' });

function same(a: Outcome, b: Outcome): boolean {
  if (a.kind === 'value' || b.kind === 'value')
    return a.kind === 'value' && b.kind === 'value' && equalLiterals(a.text, b.text);
  if (a.kind === 'raised' && b.kind === 'raised') return a.error === b.error;
  return a.kind === b.kind;
}

/** A value against plain Python: unknown ends say nothing. */
function agrees(judged: Outcome & { readonly kind: 'value' }, second: PlainAnswer): boolean {
  if (second.kind === 'unknown') return true;
  return second.kind === 'value' && equalLiterals(judged.text, second.text);
}

async function compare(
  sandbox: LocalSandbox,
  fuzzed: FuzzCase,
  k: number,
  judged: Outcome,
  strict: Outcome,
  report: FuzzReport,
): Promise<void> {
  if (same(judged, strict)) return;
  if (judged.kind !== 'value' && strict.kind !== 'value') {
    report.otherReason++;
    return;
  }
  // Once more, with more time and all seeds: an honest evaluation that hangs on chance or on the clock settles nothing.
  const alone = { code: fuzzed.code, inputs: [fuzzed.inputs[k] ?? ''] };
  const [[steady]] = (await honestly([alone], { limits: AGAIN, seeds: 3 })) as [[Outcome]];
  const [[repeated]] = (await honestly([alone], { limits: LIMITS })) as [[Outcome]];
  if (steady.kind === 'nondeterministic' || !same(repeated, strict) || !same(steady, strict)) {
    report.unsteady++;
    return;
  }
  const again = await sandbox.run({
    id: fuzzed.id,
    code: fuzzed.code,
    inputs: fuzzed.inputs,
    limits: AGAIN,
    seeds: 2,
  });
  if (same(again.outcomes[k] as Outcome, steady)) {
    report.unsteady++;
    return;
  }
  report.findings.push({
    kind: judged.kind === 'value' ? 'value-differs' : 'value-lost',
    ...whereOf(fuzzed, k),
    detail: `judged ${JSON.stringify(judged).slice(0, 300)}; honest ${JSON.stringify(strict).slice(0, 300)}`,
  });
}
