/** `azr seed`: seed files, made by the published loop as a durable workflow; `azr seed verify`: run row by row. */
import { access, constants, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { UsageError } from '../config/errors.js';
import { ensureTopics, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import { TASK_QUEUES } from '../../workflows/steps.js';
import type { SeedingRunInput } from '../../workflows/types.js';
import { requirePolicy } from '../config/policy-present.js';
import { resolveRunConfig, stableJson } from '../config/presets.js';
import { checkRunId } from '../config/run-id.js';
import { seedFileText } from '../tasks/seed-files.js';
import { createSandbox } from '../sandbox/index.js';
import { verifySeeds } from '../activities/verify-seeds.js';
import { EXIT } from './exit-codes.js';
import { say, sayJson, table, tell } from './output.js';
import { followSeeding } from './follow-seeding.js';
import { collect, ensureStack } from './run.js';
import { codeVersion, openSession, withTemporal } from './session.js';

interface SeedFlags {
  readonly outIo?: string;
  readonly outF?: string;
  readonly rows: string;
  readonly run?: string;
  readonly seed?: string;
  readonly set: string[];
  readonly json?: boolean;
}

/** The same call after a crash finds its workflow, waits for its end, and writes the files. */
async function makeSeeds(preset: string, options: SeedFlags): Promise<void> {
  const rows = Number(options.rows);
  if (!Number.isInteger(rows) || rows < 1 || rows > 100_000)
    throw new UsageError(`--rows is ${options.rows}; accepted are integers from 1 to 100000`);
  const overrides = [...options.set, ...(options.seed === undefined ? [] : [`seed=${options.seed}`])];
  const resolved = await resolveRunConfig(preset, overrides);
  await requirePolicy(resolved.config);
  const outIo = neededOption('--out-io', options.outIo);
  const outF = neededOption('--out-f', options.outF);
  if (path.resolve(outIo) === path.resolve(outF))
    throw new UsageError(`--out-io and --out-f are both ${outIo}; accepted are two files`);
  for (const [option, file] of [
    ['--out-io', outIo],
    ['--out-f', outF],
  ] as const)
    await access(path.dirname(path.resolve(file)), constants.W_OK).catch((error: unknown) => {
      throw new UsageError(
        `${option} is ${file}, whose folder cannot be written to: ${(error as Error).message}`,
      );
    });
  const runId = options.run ?? `seeding-${resolved.preset}-${resolved.hash.slice(0, 8)}-${rows}`;
  checkRunId(runId);
  const session = await ensureStack(options.json === true);
  const result = await withTemporal(session.addresses, async (client) => {
    const input: SeedingRunInput = {
      runId,
      preset: resolved.preset,
      configJson: resolved.json,
      configHash: resolved.hash,
      originJson: stableJson(resolved.origin),
      rows,
    };
    await client.workflow
      .start('seedingRun', {
        workflowId: runId,
        taskQueue: TASK_QUEUES.orchestrate,
        args: [input],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        memo: { preset: input.preset, configHash: input.configHash, rows },
      })
      .catch((error: unknown) => {
        if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
      });
    await requireSame(client, input);
    return followSeeding(client, runId, rows, options.json === true ? tell : say);
  });
  const log = await createEventLog(session.addresses);
  try {
    const tasks = await acceptedTasks(log, runId);
    const pairs = tasks.filter(({ kind }) => kind !== 'induction').slice(0, rows);
    const inductions = tasks.filter(({ kind }) => kind === 'induction').slice(0, rows);
    await writeBeside(outIo, seedFileText('pairs', pairs));
    await writeBeside(outF, seedFileText('induction', inductions));
    const facts = { run: runId, rounds: result.rounds, pairs: pairs.length, inductions: inductions.length };
    if (options.json === true) sayJson(facts);
    else
      say(`${pairs.length} pairs in ${outIo}, ${inductions.length} induction tasks in ${outF}, after ${result.rounds} rounds

Start a run from them:
  npx azr run ${preset} --seed-io ${outIo} --seed-f ${outF} --follow`);
  } finally {
    await log.close();
  }
}

/** @throws UsageError where the name is that of something else, whose rows are not what was asked for. */
async function requireSame(client: Client, { runId, configHash, rows }: SeedingRunInput): Promise<void> {
  const { type, memo = {} } = await client.workflow.getHandle(runId).describe();
  const what =
    type !== 'seedingRun'
      ? 'a run of another kind'
      : memo['configHash'] !== configHash
        ? 'a seeding with another configuration'
        : memo['rows'] !== rows
          ? `a seeding of ${String(memo['rows'])} rows`
          : undefined;
  if (what !== undefined)
    throw new UsageError(`--run is ${runId}, which is ${what}; accepted is a new name, or none`);
}

function neededOption(option: string, file: string | undefined): string {
  if (file === undefined || file === '')
    throw new UsageError(`${option} is missing; accepted is a file to write, as in ${option} seeds.jsonl`);
  return file;
}

/** Proposed ones, by round, kind and place; a seeding that was started anew may have recorded one twice. */
async function acceptedTasks(log: EventLog, runId: string): Promise<EventDataByType['TaskAccepted'][]> {
  const found = new Map<string, { iteration: number; data: EventDataByType['TaskAccepted'] }>();
  const mine = (event: AzrEvent): boolean =>
    event.envelope.runId === runId && event.type === 'TaskAccepted' && event.data.proposalId !== null;
  for await (const { event } of log.scan(topicOf('TaskAccepted'), {}, undefined, mine))
    if (event.type === 'TaskAccepted' && !found.has(event.envelope.eventId))
      found.set(event.envelope.eventId, { iteration: event.envelope.iteration, data: event.data });
  return [...found.values()]
    .sort(
      (a, b) =>
        a.iteration - b.iteration ||
        a.data.kind.localeCompare(b.data.kind, 'en') ||
        a.data.index - b.data.index,
    )
    .map(({ data }) => data);
}

/** Half a file does not exist. */
async function writeBeside(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}

export function addSeedCommands(program: Command): void {
  const seed = program
    .command('seed')
    .description('make seed files: tasks that the policy as it stands proposes, verified in the sandbox')
    .argument('<preset>', 'a preset (azr presets lists them) or a YAML file')
    // Not requiredOption: that would be asked of `seed verify` too.
    .option('--out-io <file>', 'where the pairs are written (needed)')
    .option('--out-f <file>', 'where the induction tasks are written (needed)')
    .option('--rows <n>', 'rows of each file', '256')
    .option(
      '--run <id>',
      "the seeding's name; the same call goes on with it. Default: from preset and configuration",
    )
    .option('--seed <n>', 'root of all random draws')
    .option('--set <key=value>', 'override any key of the configuration', collect, [])
    .option('--json', 'the last line is {"run":...,"rounds":n,"pairs":n,"inductions":n}')
    .action(makeSeeds);
  seed
    .command('verify')
    .description(
      'run every row of a seed file in the sandbox; publish TaskAccepted or TaskRejected with the reason',
    )
    .argument(
      '<file>',
      'JSON lines of the published row schema (deduction and abduction pairs, or induction)',
    )
    .option('--json', 'the last line is {"rows":n,"accepted":n,"rejected":n,"reasons":{...}}')
    .action(async (file: string, options: { json?: boolean }) => {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        throw new UsageError(`FILE is ${file}, which cannot be read: ${(error as Error).message}`);
      }
      const { addresses, config } = await openSession();
      await ensureTopics(addresses.kafkaBrokers);
      const log = await createEventLog(addresses);
      const sandbox = await createSandbox({
        workers: config.threads.sandbox,
        packages: config.sandbox.packages,
      });
      try {
        const report = await verifySeeds(
          { log, sandbox, codeVersion: codeVersion() },
          path.basename(file),
          text,
        );
        for (const broken of report.broken) tell(`azr: ${file}, line ${broken.line}: ${broken.error}`);
        const { rows, accepted, rejected, reasons, runId } = report;
        if (options.json === true) sayJson({ rows, accepted, rejected, reasons, run: runId });
        else {
          say(`${rows} rows: ${accepted} accepted, ${rejected} rejected`);
          if (rejected > 0)
            say(table(Object.entries(reasons).map(([reason, count]) => ({ reason, rows: count }))));
          say(`
The same from SQL:
  npx azr sql "select 'accepted' as fate, count() from task_history where run_id = '${runId}'"
  npx azr sql "select reason, count() from task_rejected final where run_id = '${runId}' group by reason"`);
        }
        if (report.broken.length > 0) process.exitCode = EXIT.usage;
      } finally {
        await sandbox.close();
        await log.close();
      }
    });
}
