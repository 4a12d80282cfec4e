/** `azr replay`: recompute iterations from the log and compare with the record, or under another configuration. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { CounterfactualTables } from '../../pipelines/counterfactual-tables.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { referenceOf } from '../activities/reference-checkpoint.js';
import { UsageError } from '../config/errors.js';
import { isMode, MODES } from '../config/modes.js';
import { readYaml } from '../config/presets.js';
import { checkpointFolder } from '../learner/checkpoint-folder.js';
import { learnConfig, learnRows } from '../learner/learn-inputs.js';
import { createPolicyEngine } from '../policy/index.js';
import type { PolicyEngine } from '../policy/port.js';
import type { CounterfactualReport } from '../replay/counterfactual.js';
import type { Wanted } from '../replay/counterfactual-config.js';
import {
  replay,
  REPLAY_CHECKS,
  type ReplayCheck,
  type ReplayOptions,
  type ReplayReport,
  type ReplayResult,
} from '../replay/replay.js';
import { writeCounterfactual } from '../replay/write-counterfactual.js';
import { createSandbox, treesIn } from '../sandbox/index.js';
import type { Sandbox } from '../sandbox/port.js';
import { EXIT } from './exit-codes.js';
import { progressBar, say, sayJson, table } from './output.js';
import { collect } from './run.js';
import { codeVersion, openSession, type Session } from './session.js';
import { unknownRun } from './unknown-run.js';

const SHOWN_DIFFERENCES = 20;
const DEFAULT_CHECKS: readonly ReplayCheck[] = ['executions', 'verdicts', 'rewards', 'advantages'];

interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly verify?: string;
  readonly with?: string;
  readonly set: readonly string[];
  readonly mode?: string;
  readonly jobs?: string;
  readonly json?: boolean;
}

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('recompute programs, verdicts, rewards and advantages from the log and compare')
    .argument('<run>')
    .option('--from <iteration>', 'first iteration; default: the first')
    .option('--to <iteration>', 'last iteration; default: the newest that is completed')
    .option(
      '--verify <checks>',
      `what to check, joined by commas: ${REPLAY_CHECKS.join(', ')} (default: all but learner)`,
    )
    .option('--jobs <n>', 'iterations worked on at a time, and sandbox processes; default: the cores')
    .option('--with <file>', 'rewards and advantages under the keys of a YAML file instead; what changes')
    .option('--set <key=value>', 'the same for one key, as in learner.advantage=rloo', collect, [])
    .option('--mode <name>', `the same for the switches of a mode: ${MODES.join(', ')}`)
    .option('--json', 'print the report as JSON')
    .action(async (runId: string, options: Options) => {
      const session = await openSession();
      const wanted = await wantedConfig(options);
      if (wanted === undefined) await verify(session, runId, options);
      else await recompute(session, runId, options, wanted);
    });
}

async function verify(session: Session, runId: string, options: Options): Promise<void> {
  const checks = options.verify === undefined ? DEFAULT_CHECKS : parseChecks(options.verify);
  const bounds = parseBounds(options);
  const jobs = parseJobs(options.jobs);
  const log = await createEventLog(session.addresses);
  const box = new LazySandbox(session, jobs);
  let engine: Promise<PolicyEngine> | undefined;
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'azr-replay-'));
  const relearn: ReplayOptions['relearn'] = async (config, iteration, step, samples) => {
    const policy = await (engine ??= createPolicyEngine({
      threads: session.config.threads.tensorflow,
    }));
    const root = path.join(session.config.dataDir, 'checkpoints');
    const { checkpoint } = await policy.learn(
      {
        version: step.parentVersion,
        digest: step.parentDigest,
        folder: checkpointFolder(root, runId, step.parentVersion),
      },
      learnRows(samples),
      learnConfig(config, iteration),
      path.join(scratch, `v${step.version}`),
      await referenceOf(config, log, runId, session.config.dataDir),
    );
    return checkpoint.digest;
  };
  const bar = progressBar('iterations replayed');
  try {
    const result = await replay(log, runId, {
      checks,
      ...bounds,
      jobs,
      sandbox: () => box.get(),
      relearn,
      onProgress: (done, of, differ) => bar.show(done, of, `${differ} differences`),
    });
    bar.end();
    if (result.kind !== 'replayed') throw await notReplayed(session, runId, options, result);
    if (options.json === true) sayJson(result.report);
    else print(result.report);
    if (result.report.differences.length > 0) process.exitCode = EXIT.differences;
  } finally {
    bar.end();
    // What never started needs no closing, and must not hide why.
    await box.close();
    await engine?.then((policy) => policy.close()).catch(() => undefined);
    await log.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @returns undefined where none is asked for. */
async function wantedConfig(options: Options): Promise<Wanted | undefined> {
  if (options.with === undefined && options.set.length === 0 && options.mode === undefined) return undefined;
  if (options.verify !== undefined)
    throw new UsageError(
      `--verify compares with the record, --with, --set and --mode compute something else; accepted is one of them`,
    );
  const { mode: stated, ...values } = options.with === undefined ? {} : await readYaml(options.with);
  const mode = options.mode ?? stated ?? undefined;
  if (mode !== undefined && !isMode(mode))
    throw new UsageError(
      `${options.mode === undefined ? `mode in ${options.with ?? ''}` : '--mode'} is ${JSON.stringify(mode)}; accepted are ${MODES.join(', ')}`,
    );
  return { values, overrides: options.set, ...(mode === undefined ? {} : { mode }) };
}

async function recompute(session: Session, runId: string, options: Options, wanted: Wanted): Promise<void> {
  const log = await createEventLog(session.addresses);
  const tables = await CounterfactualTables.open(session.addresses, runId);
  const box = new LazySandbox(session, parseJobs(options.jobs));
  const bar = progressBar('iterations recomputed');
  try {
    const result = await writeCounterfactual(
      log,
      tables,
      runId,
      {
        ...parseBounds(options),
        wanted,
        trees: async () => treesIn(await box.get()),
        onProgress: (done, of) => bar.show(done, of, ''),
      },
      codeVersion(),
    );
    bar.end();
    if (result.kind !== 'computed') throw await notReplayed(session, runId, options, result);
    const { report } = result;
    if (options.json === true) sayJson(report);
    else printCounterfactual(report);
    if (report.damage.length > 0) process.exitCode = EXIT.differences;
  } finally {
    bar.end();
    await box.close();
    await tables.close();
    await log.close();
  }
}

/** Starts when something runs in it. */
class LazySandbox {
  readonly #create: () => Promise<Sandbox>;
  #sandbox: Promise<Sandbox> | undefined;

  constructor({ config }: Session, workers: number) {
    this.#create = () => createSandbox({ workers, packages: config.sandbox.packages });
  }

  get(): Promise<Sandbox> {
    return (this.#sandbox ??= this.#create());
  }

  async close(): Promise<void> {
    await this.#sandbox?.then((box) => box.close()).catch(() => undefined);
  }
}

async function notReplayed(
  session: Session,
  runId: string,
  { from, to }: Options,
  result: Exclude<ReplayResult, { kind: 'replayed' }>,
): Promise<UsageError> {
  if (result.kind === 'unknown-run') return unknownRun(session, runId);
  return new UsageError(
    `--from ${from ?? 1} --to ${to ?? 'the newest'}: run ${runId} has completed iterations ${span(result.known)}`,
  );
}

function printCounterfactual(report: CounterfactualReport): void {
  for (const { key, recorded, value } of report.changes)
    say(`${key}: ${JSON.stringify(recorded)} -> ${JSON.stringify(value)}`);
  if (report.withoutEffect.length > 0)
    say(`no effect on rewards and advantages: ${report.withoutEffect.join(', ')}`);
  if (report.keptAsRecorded.length > 0)
    say(`as recorded, since it decides what was sampled: ${report.keptAsRecorded.join(', ')}`);
  for (const of of ['rewards', 'advantages'] as const)
    say(
      `\n${table(
        report.groups.map(({ role, kind, [of]: change }) => ({
          [of]: `${role} ${kind}`,
          recorded: change.recorded,
          then: change.counterfactual,
          'mean recorded': change.recordedMean,
          'mean then': change.mean,
          changed: change.changed,
          'mean shift': change.meanShift,
          'sign flips': change.signFlips,
        })),
      )}`,
    );
  if (report.tasks.length > 0)
    say(
      `\n${table(report.tasks.slice(0, SHOWN_DIFFERENCES).map(({ taskId, kind, signFlips }) => ({ task: taskId, kind, 'sign flips': signFlips })))}`,
    );
  say(
    `\n${report.tasks.length} tasks change sign; iterations ${report.firstIteration} to ${report.lastIteration} of ${report.run}, counterfactual ${report.counterfactual}`,
  );
  for (const { place, detail } of report.damage) say(`${place}: ${detail}`);
  say(
    `npx azr sql --saved counterfactual-changes --run ${report.run} --param counterfactual=${report.counterfactual}`,
  );
}

function print(report: ReplayReport): void {
  const byCheck = new Map<string, { check: string; iterations: number; checked: number; differ: number }>();
  for (const { check, checked, differ } of report.counts) {
    const row = byCheck.get(check) ?? { check, iterations: 0, checked: 0, differ: 0 };
    row.iterations += 1;
    row.checked += checked;
    row.differ += differ;
    byCheck.set(check, row);
  }
  say(table([...byCheck.values()]));
  for (const d of report.differences.slice(0, SHOWN_DIFFERENCES))
    say(
      `iteration ${d.iteration}, ${d.subject}${d.field === '' ? '' : `, ${d.field}`}: recorded ${JSON.stringify(d.recorded)}, recomputed ${JSON.stringify(d.recomputed)}`,
    );
  if (report.differences.length > SHOWN_DIFFERENCES)
    say(`... and ${report.differences.length - SHOWN_DIFFERENCES} more (--json prints all)`);
  say(`${report.differences.length} differences in ${report.iterations} iterations of ${report.run}`);
}

function parseChecks(text: string): ReplayCheck[] {
  return text.split(',').map((part) => {
    const check = REPLAY_CHECKS.find((known) => known === part.trim());
    if (check === undefined)
      throw new UsageError(
        `--verify holds ${JSON.stringify(part.trim())}; accepted are ${REPLAY_CHECKS.join(', ')}`,
      );
    return check;
  });
}

function parseBounds({ from, to }: Options): { readonly from?: number; readonly to?: number } {
  const [first, last] = [parseIteration('--from', from), parseIteration('--to', to)];
  return { ...(first === undefined ? {} : { from: first }), ...(last === undefined ? {} : { to: last }) };
}

function parseJobs(text: string | undefined): number {
  const jobs = Number(text ?? os.availableParallelism());
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 256)
    throw new UsageError(`--jobs is ${JSON.stringify(text)}; accepted are 1 to 256`);
  return jobs;
}

function parseIteration(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const iteration = Number(text);
  if (!Number.isInteger(iteration) || iteration < 1)
    throw new UsageError(`${option} is ${JSON.stringify(text)}; accepted are iterations from 1`);
  return iteration;
}

function span(known: readonly number[]): string {
  const [first, last] = [known[0], known.at(-1)];
  return first === undefined ? 'none yet' : `${first} to ${last ?? first}`;
}
