/** The ways that are compared: an executor of the published kind, the raw limit of forking, and our sandbox. */
import { createSandbox, judgeMany, validateProposals, type LocalSandbox } from '../../src/sandbox/index.js';
import type { ExecutionRequest } from '../../src/sandbox/index.js';
import { costOf, ownSeconds, treeSeconds, type Cost } from './cpu.js';
import { LineProcess } from '../line-process.js';
import { PHASES, type Phase, type Workload } from './workload.js';

/** Published time limit of a run. */
const PUBLISHED_SECONDS = 10;

export interface PhaseResult extends Cost {
  /** Valid, or correct; one a proposal or answer. */
  readonly verdicts: readonly boolean[];
  /** Our reason a verdict, or '' where the way gives none. */
  readonly reasons: readonly string[];
}
export interface WayResult {
  readonly phases: Readonly<Record<Phase, PhaseResult>>;
  /** Comparisons the published way tried again. */
  readonly retried: number;
}

/**
 * Every phase once by the executor of the published kind; it is warm when the clock starts. The published trainer has one
 * worker and makes one call after the other; here are as many calls under way as there are workers.
 */
export async function publishedWay(python: string, workload: Workload, workers: number): Promise<WayResult> {
  const phases = {
    ...workload,
    validation: workload.validation.map((item) => ({ kind: 'validation', ...item })),
  };
  const args = [String(workers), String(workers), String(PUBLISHED_SECONDS)];
  const trainer = await LineProcess.start(python, new URL('./published.py', import.meta.url), args, phases);
  const results: Partial<Record<Phase, PhaseResult>> = {};
  let retried = 0;
  for (const phase of PHASES) {
    const { value, wall, cpu } = await costOf(
      () => treeSeconds([trainer.pid]),
      () => trainer.ask(phase),
    );
    const answer = JSON.parse(value) as { verdicts: boolean[]; retried: number };
    retried += answer.retried;
    results[phase] = { wall, cpu, verdicts: answer.verdicts, reasons: answer.verdicts.map(() => '') };
  }
  await trainer.close();
  return { phases: results as Record<Phase, PhaseResult>, retried };
}

const WARM = 'def f(x):\n    return x';

/** A sandbox whose interpreters of all seeds run, with nothing remembered of the workload. */
async function warmSandbox(workers: number): Promise<LocalSandbox> {
  const sandbox = await createSandbox({ workers });
  const requests = Array.from({ length: 4 * workers }, (_, i): ExecutionRequest => ({
    id: `warm-${i}`,
    code: WARM,
    inputs: [String(i)],
    seeds: 3,
    class: 'strict',
  }));
  await sandbox.runMany(requests);
  return sandbox;
}

async function cpuOf(sandbox: LocalSandbox): Promise<() => number> {
  const pids = await sandbox.processIds();
  return () => treeSeconds(pids) + ownSeconds();
}

/** Every phase once by the functions self-play calls; programs are analysed within the time. */
export async function ourWay(workload: Workload, workers: number): Promise<WayResult> {
  const sandbox = await warmSandbox(workers);
  try {
    const cpu = await cpuOf(sandbox);
    const results: Partial<Record<Phase, PhaseResult>> = {};
    for (const phase of PHASES) {
      const { value, ...cost } = await costOf(cpu, async () => {
        if (phase === 'validation') {
          const { results: found } = await validateProposals(sandbox, workload.validation);
          return found.map((result) => ({
            correct: result.ok,
            reason: result.ok ? 'valid' : result.reason,
          }));
        }
        return (await judgeMany(sandbox, workload[phase])).verdicts;
      });
      results[phase] = {
        ...cost,
        verdicts: value.map(({ correct }) => correct),
        reasons: value.map(({ reason }) => reason),
      };
    }
    if (sandbox.restarts > 0) throw new Error(`${sandbox.restarts} interpreters died during the bench`);
    return { phases: results as Record<Phase, PhaseResult>, retried: 0 };
  } finally {
    await sandbox.close();
  }
}

export interface ForkResult extends Cost {
  readonly forks: number;
}
type Pair = readonly [code: string, input: string];

/** The raw limit: `workers` templates at once, each forking its share one child after the other. */
export async function rawForks(
  python: string,
  mode: 'empty' | 'exec',
  pairs: readonly Pair[],
  count: number,
  workers: number,
): Promise<ForkResult> {
  const templates = await Promise.all(
    Array.from({ length: workers }, (_, w) =>
      LineProcess.start(
        python,
        new URL('./forks.py', import.meta.url),
        [],
        pairs.filter((_pair, i) => i % workers === w),
      ),
    ),
  );
  const share = Math.ceil(count / workers);
  const { wall, cpu } = await costOf(
    () => treeSeconds(templates.map(({ pid }) => pid)),
    () => Promise.all(templates.map((template) => template.ask(`${mode} ${share}`))),
  );
  await Promise.all(templates.map((template) => template.close()));
  return { wall, cpu, forks: share * workers };
}

/** Ours where a fork is due: the strict class, a child a program and input, from request to checked outcome. */
export async function ourForks(
  pairs: readonly Pair[],
  count: number,
  workers: number,
): Promise<ForkResult & { readonly version: string }> {
  const sandbox = await warmSandbox(workers);
  try {
    const requests = Array.from({ length: count }, (_, i): ExecutionRequest => {
      const [code, input] = pairs[i % pairs.length] as Pair;
      return { id: String(i), code, inputs: [input], class: 'strict' };
    });
    // Only forks are compared: which class a program may have is known by now.
    await sandbox.analyse(requests.map(({ code }) => code));
    const { wall, cpu } = await costOf(await cpuOf(sandbox), () => sandbox.runMany(requests));
    return { wall, cpu, forks: count, version: sandbox.interpreter.version };
  } finally {
    await sandbox.close();
  }
}
