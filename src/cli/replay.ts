/** `azr replay`: recompute iterations from the log and compare with the record. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { referenceOf } from '../activities/reference-checkpoint.js';
import { learnConfig, learnRows } from '../learner/learn-inputs.js';
import { checkpointFolder } from '../learner/checkpoint-folder.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { UsageError } from '../config/errors.js';
import { createPolicyEngine } from '../policy/index.js';
import type { PolicyEngine } from '../policy/port.js';
import {
  replay,
  REPLAY_CHECKS,
  type ReplayCheck,
  type ReplayOptions,
  type ReplayReport,
} from '../replay/replay.js';
import { createSandbox } from '../sandbox/index.js';
import type { Sandbox } from '../sandbox/port.js';
import { EXIT } from './exit-codes.js';
import { say, sayJson, table, tell } from './output.js';
import { openSession } from './session.js';
import { unknownRun } from './unknown-run.js';

const SHOWN_DIFFERENCES = 20;
const DEFAULT_CHECKS: readonly ReplayCheck[] = ['executions', 'verdicts', 'rewards', 'advantages'];

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('recompute programs, verdicts, rewards and advantages from the log and compare')
    .argument('<run>')
    .option('--from <iteration>', 'first iteration; default: the first')
    .option('--to <iteration>', 'last iteration; default: the newest that is completed')
    .option(
      '--verify <checks>',
      `what to check, joined by commas: ${REPLAY_CHECKS.join(', ')}`,
      DEFAULT_CHECKS.join(','),
    )
    .option('--json', 'print the report as JSON')
    .action(
      async (runId: string, options: { from?: string; to?: string; verify: string; json?: boolean }) => {
        const session = await openSession();
        const checks = parseChecks(options.verify);
        const from = parseIteration('--from', options.from);
        const to = parseIteration('--to', options.to);
        const log = await createEventLog(session.addresses);
        let sandbox: Promise<Sandbox> | undefined;
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
        try {
          const result = await replay(log, runId, {
            checks,
            ...(from === undefined ? {} : { from }),
            ...(to === undefined ? {} : { to }),
            sandbox: () =>
              (sandbox ??= createSandbox({
                workers: session.config.threads.sandbox,
                packages: session.config.sandbox.packages,
              })),
            relearn,
            onIteration: (iteration) => tell(`iteration ${iteration} replayed`),
          });
          if (result.kind === 'unknown-run') throw await unknownRun(session, runId);
          if (result.kind === 'no-such-iteration')
            throw new UsageError(
              `--from ${options.from ?? 1} --to ${options.to ?? 'the newest'}: run ${runId} has completed iterations ${span(result.known)}`,
            );
          if (options.json === true) sayJson(result.report);
          else print(result.report);
          if (result.report.differences.length > 0) process.exitCode = EXIT.differences;
        } finally {
          // What never started needs no closing, and must not hide why.
          await sandbox?.then((box) => box.close()).catch(() => undefined);
          await engine?.then((policy) => policy.close()).catch(() => undefined);
          await log.close();
          await rm(scratch, { recursive: true, force: true });
        }
      },
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
