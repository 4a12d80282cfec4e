/** `azr run | runs | watch | pause | resume | stop`: a run's life. */
import { WorkflowIdReusePolicy, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Command } from 'commander';
import { up } from '../../infra/local/index.js';
import { runStateFromLog, type LoggedRun } from '../../pipelines/run-state.js';
import type { EventReference } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { ensureTopics } from '../../pipelines/topics.js';
import { TASK_QUEUES } from '../../workflows/steps.js';
import type { RunSchedule, SelfPlayRunInput } from '../../workflows/types.js';
import { UsageError } from '../config/errors.js';
import { MODES } from '../config/modes.js';
import { withModelSampling } from '../config/model-sampling.js';
import { requirePolicy } from '../config/policy-present.js';
import { checkRunConfig, resolveRunConfig, stableJson } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';
import { checkRunId } from '../config/run-id.js';
import { EXIT } from './exit-codes.js';
import { follow } from './follow.js';
import { say, sayJson, table, tell } from './output.js';
import { knownRuns } from './runs.js';
import { readSeedFiles, recordSeedRows, type NamedSeedFile } from './seed-files.js';
import { codeVersion, openSession, withTemporal, type Session } from './session.js';
import { printSummary } from './summary.js';
import { unknownAmong } from './unknown-run.js';

export function addRunCommands(program: Command): void {
  program
    .command('run')
    .description('start a self-play run')
    .argument('<preset>', 'a preset (azr presets lists them) or a YAML file')
    .option('--run <id>', "the run's name; default: the preset and the time")
    .option('--seed <n>', 'root of all random draws')
    .option('--minutes <m>', 'self-play ends after the iteration in which this time is up')
    .option('--iterations <n>', 'how many iterations at most')
    .option(
      '--set <key=value>',
      'override any key of the configuration, as in learner.clipLow=0.1',
      collect,
      [],
    )
    .option('--mode <name>', `one of ${MODES.join(', ')}: switches that yield to the preset's own keys`)
    .option('--seed-io <file>', 'pairs to start from: JSON lines {snippet, input, output, ...}')
    .option(
      '--seed-f <file>',
      'induction tasks to start from: JSON lines {snippet, inputs, outputs, message, ...}',
    )
    .option('--follow', 'watch it to its end and print the summary')
    .option('--json', 'print facts as JSON')
    .action(
      async (
        preset: string,
        options: {
          run?: string;
          seed?: string;
          minutes?: string;
          iterations?: string;
          set: string[];
          mode?: string;
          seedIo?: string;
          seedF?: string;
          follow?: boolean;
          json?: boolean;
        },
      ) => {
        const overrides = [
          ...options.set,
          ...(options.seed === undefined ? [] : [`seed=${options.seed}`]),
          ...(options.minutes === undefined ? [] : [`schedule.minutes=${options.minutes}`]),
          ...(options.iterations === undefined ? [] : [`schedule.iterations=${options.iterations}`]),
        ];
        const resolved = await withModelSampling(await resolveRunConfig(preset, overrides, options.mode));
        await requirePolicy(resolved.config);
        const runId = options.run ?? `${resolved.preset}-${timestamp()}`;
        checkRunId(runId);
        const seedFiles = await readSeedFiles(options);
        const session = await ensureStack(options.json === true);
        await withTemporal(session.addresses, async (client) => {
          const seeds =
            seedFiles.length === 0 ? undefined : await putSeeds(session, client, runId, seedFiles);
          await startWorkflow(client, {
            runId,
            preset: resolved.preset,
            configJson: resolved.json,
            configHash: resolved.hash,
            originJson: stableJson(resolved.origin),
            schedule: scheduleOf(resolved.config),
            ...(seeds === undefined ? {} : { seeds }),
          });
          if (options.json === true)
            sayJson({ run: runId, preset: resolved.preset, configHash: resolved.hash });
          else say(`run ${runId} started (preset ${resolved.preset}, seed ${resolved.config.seed})`);
          if (options.follow === true) await followToEnd(session, client, runId, options.json === true);
          else if (options.json !== true) say(`watch it with: npx azr watch ${runId}`);
        });
      },
    );

  program
    .command('watch')
    .description('follow a run to its end and print the summary')
    .argument('<run>')
    .option('--json', 'print facts as JSON')
    .action(async (runId: string, options: { json?: boolean }) => {
      const session = await openSession();
      await withTemporal(session.addresses, async (client) => {
        await requireRun(session, client, runId);
        await followToEnd(session, client, runId, options.json === true);
      });
    });

  program
    .command('runs')
    .description('all runs, newest first')
    .option('--json', 'print an array of {run, preset, status, iteration, ...}')
    .action(async (options: { json?: boolean }) => {
      const session = await openSession();
      const runs = await withTemporal(session.addresses, (client) => knownRuns(session, client));
      if (options.json === true) sayJson(runs);
      else
        say(
          runs.length === 0
            ? 'no run yet: npx azr run tiny --follow'
            : table(runs.map((run) => ({ ...run }))),
        );
    });

  program
    .command('summary')
    .description('what a run did: scores before and after, the curve, its newest tasks')
    .argument('<run>')
    .action(async (runId: string) => {
      await printSummary((await openSession()).addresses, runId);
    });

  for (const [name, description] of [
    ['pause', 'pause a run when its iteration ends'],
    ['stop', 'end a run when its iteration ends'],
  ] as const)
    program
      .command(name)
      .description(description)
      .argument('<run>')
      .action(async (runId: string) => {
        const session = await openSession();
        await withTemporal(session.addresses, async (client) => {
          await requireRun(session, client, runId);
          const description = await client.workflow.getHandle(runId).describe();
          if (description.status.name !== 'RUNNING')
            throw new UsageError(
              `run ${runId} is ${description.status.name.toLowerCase()}; only a running one can be told to ${name}`,
            );
          await client.workflow.getHandle(runId).signal(name);
          say(`run ${runId}: ${name} is asked for; it takes effect when the iteration ends`);
        });
      });

  program
    .command('resume')
    .description('go on with a paused or interrupted run, from the step where it stopped')
    .argument('<run>')
    .option('--follow', 'watch it to its end and print the summary')
    .option('--json', 'print facts as JSON')
    .action(async (runId: string, options: { follow?: boolean; json?: boolean }) => {
      const session = await ensureStack(options.json === true);
      await withTemporal(session.addresses, async (client) => {
        const how = await resumeRun(session, client, runId);
        if (options.json === true) sayJson({ run: runId, resumed: how });
        else say(`run ${runId}: ${how}`);
        if (options.follow === true) await followToEnd(session, client, runId, options.json === true);
      });
    });
}

/** Into the log, under the run's name; a name that is taken gets none. */
async function putSeeds(
  session: Session,
  client: Client,
  runId: string,
  files: readonly NamedSeedFile[],
): Promise<EventReference> {
  const taken = await client.workflow
    .getHandle(runId)
    .describe()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    });
  if (taken !== undefined) throw runExists(runId);
  await ensureTopics(session.addresses.kafkaBrokers);
  const log = await createEventLog(session.addresses);
  try {
    return await recordSeedRows(log, runId, files, codeVersion());
  } finally {
    await log.close();
  }
}

const runExists = (runId: string): UsageError =>
  new UsageError(
    `--run is ${runId}, which exists already; accepted is a new name, or: npx azr resume ${runId}`,
  );

export function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}

/** A name for people; nothing is derived from the time in it but the run's other ids. */
function timestamp(): string {
  return new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
}

function scheduleOf(config: RunConfig): RunSchedule {
  const { iterations, minutes, continueAsNewEvery } = config.schedule;
  return { iterations, minutes, continueAsNewEvery, evaluateEvery: config.evaluation.every };
}

export async function ensureStack(quiet: boolean): Promise<Session> {
  await up({ onProgress: quiet ? tell : say });
  return openSession();
}

async function startWorkflow(client: Client, input: SelfPlayRunInput): Promise<void> {
  try {
    await client.workflow.start('selfPlayRun', {
      workflowId: input.runId,
      taskQueue: TASK_QUEUES.orchestrate,
      args: [input],
      workflowIdReusePolicy:
        input.state === undefined
          ? WorkflowIdReusePolicy.REJECT_DUPLICATE
          : WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      memo: { preset: input.preset, configHash: input.configHash },
    });
  } catch (error) {
    if ((error as Error).name === 'WorkflowExecutionAlreadyStartedError') throw runExists(input.runId);
    throw error;
  }
}

/** A run goes on from the state that the log holds of it. */
export function startFromLog(
  session: Session,
  client: Client,
  runId: string,
  logged: LoggedRun,
  config: RunConfig,
): Promise<void> {
  return startWorkflow(client, {
    runId,
    preset: logged.preset,
    configJson: logged.configJson,
    configHash: logged.configHash,
    schedule: scheduleOf(config),
    state: logged.state(session.config.dataDir),
  });
}

export async function followToEnd(
  session: Session,
  client: Client,
  runId: string,
  json: boolean,
): Promise<void> {
  const end = await follow(client, runId, json ? tell : say);
  if (json) sayJson(end);
  else await printSummary(session.addresses, runId);
  if (end.status !== 'completed') process.exitCode = EXIT.runFailed;
}

/** @throws UsageError naming the nearest known run. */
async function requireRun(session: Session, client: Client, runId: string): Promise<void> {
  try {
    await client.workflow.getHandle(runId).describe();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw unknownAmong(runId, await knownRuns(session, client), 'known');
  }
}

/**
 * A run that Temporal still holds goes on by itself once workers are up; a paused one is told to; one that failed, or
 * that Temporal has lost, starts anew from the state in the log.
 */
async function resumeRun(session: Session, client: Client, runId: string): Promise<string> {
  const handle = client.workflow.getHandle(runId);
  let status: string | undefined;
  try {
    status = (await handle.describe()).status.name;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  if (status === 'RUNNING') {
    await handle.signal('resume', 'asked for');
    return 'goes on from the step where it stopped';
  }
  if (status === 'COMPLETED') return 'is completed already; there is nothing to resume';
  const log = await createEventLog(session.addresses);
  try {
    const found = await runStateFromLog(log, runId);
    if (found === undefined) {
      await requireRun(session, client, runId);
      throw new UsageError(`run ${runId} has no RunStarted in the log; start it anew with azr run`);
    }
    const { config } = checkRunConfig(JSON.parse(found.configJson), `RunStarted of ${runId}`);
    await startFromLog(session, client, runId, found, config);
    return `starts again from the log, after iteration ${found.iteration}`;
  } finally {
    await log.close();
  }
}
