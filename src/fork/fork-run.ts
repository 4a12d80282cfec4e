/**
 * A new run from the state that another one had when an iteration ended.
 *
 * The fork's own log suffices to go on with it, to resume it and to replay it: the facts that make up that state are
 * written again under its name, each with the id of the parent's fact as its cause. These are the tasks and the verdicts
 * (the buffer and its counts), the completed iterations (the counters), the evaluations, and the checkpoints of version 0
 * and of the iteration, whose files are linked into the fork's own folder. Programs, samples and learner rows stay with
 * the parent alone.
 *
 * RunStarted comes first and RunForked last: a fork that was broken off lacks it, and the same call completes it.
 */
import { cp, link, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { EventLog } from '../../pipelines/event-log.js';
import { runStateFromLog, type LoggedRun } from '../../pipelines/run-state.js';
import { eventTopics, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType, EventType } from '../../schemas/generated/events.js';
import { fact } from '../activities/facts.js';
import { mergeByIteration, partitionStreams } from '../archive/by-iteration.js';
import {
  checkpointAt,
  completedIteration,
  completedRun,
  type CompletedRun,
  type SavedCheckpoint,
} from '../archive/completed-run.js';
import { digestOfFile } from '../archive/manifest.js';
import { placeFolder } from '../archive/place-folder.js';
import { UsageError } from '../config/errors.js';
import { applyOverride } from '../config/overrides.js';
import { checkRunConfig, stableJson } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';
import { checkRunId } from '../config/run-id.js';
import { idOf } from '../coordinates.js';
import { checkpointFolder } from '../learner/checkpoint-folder.js';
import { tinyFeatures } from '../policy/tiny/features.js';

export interface ForkOptions {
  readonly parent: string;
  /** An iteration that the parent completed; 0: after the warm-up. Absent: the newest. */
  readonly iteration?: number;
  /** Default: `<parent>-at-<iteration>`. */
  readonly runId?: string;
  /** Texts `a.b=c`, as `--set` takes them. */
  readonly overrides: readonly string[];
  readonly dataFolder: string;
  readonly codeVersion: string;
}

export interface ForkedRun {
  readonly runId: string;
  readonly iteration: number;
  readonly config: RunConfig;
  readonly logged: LoggedRun;
  /** Facts written again under the fork's name. */
  readonly inherited: number;
}

/** What a run's state is made of. */
const INHERITED: readonly EventType[] = [
  'TaskAccepted',
  'SolutionVerified',
  'EvaluationCompleted',
  'IterationCompleted',
];

/**
 * @returns undefined where the log has no RunStarted of the parent.
 * @throws UsageError where the iteration is not completed, a checkpoint is missing, the name is taken, the configuration
 *   asks for another model, or the schedule leaves nothing to do.
 */
export async function forkRun(log: EventLog, options: ForkOptions): Promise<ForkedRun | undefined> {
  const { parent, dataFolder, codeVersion } = options;
  const source = await completedRun(log, parent);
  if (source === undefined) return undefined;
  const iteration = completedIteration(source, options.iteration);
  const runId = options.runId ?? `${parent}-at-${iteration}`;
  const resolved = overridden(source.started, parent, options.overrides);
  checkSchedule(resolved.config, iteration, source.elapsedMs(iteration));
  const checkpoints = forkedCheckpoints(source, iteration);
  const initial = checkpoints.at(-1);
  if (initial === undefined) throw new TypeError('a fork has a checkpoint');

  const origin = { runId, iteration: 0, policyVersion: null, codeVersion };
  const started = fact(origin, 'RunStarted', [], {
    ...source.started,
    configJson: resolved.json,
    configHash: resolved.hash,
    seed: resolved.config.seed,
    parentRunId: parent,
    parentIteration: iteration,
    initialCheckpointDigest: initial.data.digest,
  });
  const fresh = await checkName(log, runId, started);
  const copied: AzrEvent[] = [];
  for (const { event } of checkpoints) copied.push(await inheritCheckpoint(event, runId, dataFolder));

  // Fresh: nothing of it can stand before now. Broken off: anywhere.
  const since = fresh ? await log.watermarks(eventTopics()) : {};
  await log.append([started], since);
  let inherited = 0;
  for await (const group of stateOf(log, parent, iteration, copied)) {
    const facts = group.map((event) => renamed(event, runId));
    await log.append(facts, fresh ? await log.watermarks(eventTopics()) : {});
    inherited += facts.length;
  }
  await log.append(
    [fact(origin, 'RunForked', [], { parentRunId: parent, parentIteration: iteration })],
    since,
  );
  const logged = await runStateFromLog(log, runId);
  if (logged === undefined) throw new Error(`the log lacks what was written of ${runId}`);
  return { runId, iteration, config: resolved.config, logged, inherited };
}

function overridden(
  started: EventDataByType['RunStarted'],
  parent: string,
  overrides: readonly string[],
): ReturnType<typeof checkRunConfig> {
  const raw = JSON.parse(started.configJson) as Record<string, unknown>;
  const before = checkRunConfig(raw, `RunStarted of ${parent}`);
  for (const override of overrides) applyOverride(raw, override);
  const after = checkRunConfig(raw, `RunStarted of ${parent} with --set`);
  if (stableJson(after.config.policy) !== stableJson(before.config.policy))
    throw new UsageError(
      `--set changes the policy (model or warm-up), which a fork takes over with its checkpoint; accepted are all other groups of keys, or a new run`,
    );
  checkSymbols(before.config, after.config);
  return after;
}

/** The tiny policy's vocabulary and grammar stand in its checkpoint: a fork cannot ask for symbols that it lacks. */
function checkSymbols(before: RunConfig, after: RunConfig): void {
  if (after.policy.kind !== 'tiny') return;
  const { policy } = after;
  const [has, needs] = [tinyFeatures(policy, before.propose), tinyFeatures(policy, after.propose)];
  const asked = [
    ...(needs.error && !has.error ? ['error prediction (propose.kinds)'] : []),
    ...(needs.composite && !has.composite ? ['composite programs (propose.composite)'] : []),
  ];
  if (asked.length > 0)
    throw new UsageError(
      `--set adds ${asked.join(' and ')}, for which the checkpoint of the tiny policy has no symbols; accepted is a new run`,
    );
}

function checkSchedule({ schedule }: RunConfig, iteration: number, elapsedMs: number): void {
  if (schedule.iterations <= iteration)
    throw new UsageError(
      `schedule.iterations is ${schedule.iterations}, and the fork starts after iteration ${iteration}; accepted is more, as in --set schedule.iterations=${iteration + 10}`,
    );
  if (schedule.minutes !== null && elapsedMs >= schedule.minutes * 60_000)
    throw new UsageError(
      `schedule.minutes is ${schedule.minutes}, and ${(elapsedMs / 60_000).toFixed(1)} are used at iteration ${iteration}; accepted is more, as in --set schedule.minutes=${Math.ceil(elapsedMs / 60_000) + 5}, or null`,
    );
}

/** Version 0, where the log has it, and the one of the iteration, last. */
function forkedCheckpoints(source: CompletedRun, iteration: number): SavedCheckpoint[] {
  const zero = source.checkpoints.find(({ data }) => data.warmUp);
  const at = checkpointAt(source, iteration);
  return zero === undefined || zero === at ? [at] : [zero, at];
}

/** @returns whether nothing of the fork stands in the log. @throws UsageError where the name is taken. */
async function checkName(log: EventLog, runId: string, started: AzrEvent): Promise<boolean> {
  checkRunId(runId);
  const mine = (event: AzrEvent): boolean => event.envelope.runId === runId;
  let standing: AzrEvent | undefined;
  let complete = false;
  for await (const { event } of log.scan(topicOf('RunStarted'), {}, undefined, mine)) {
    if (event.type === 'RunStarted') standing ??= event;
    if (event.type === 'RunForked') complete = true;
  }
  if (standing === undefined) return true;
  if (complete || stableJson(standing.data) !== stableJson(started.data))
    throw new UsageError(
      `--run is ${runId}, which exists already; accepted is a new name, or: npx azr resume ${runId}`,
    );
  return false;
}

/** The facts of the parent's state, an iteration at a time. */
async function* stateOf(
  log: EventLog,
  parent: string,
  upTo: number,
  checkpoints: readonly AzrEvent[],
): AsyncGenerator<AzrEvent[]> {
  const to = await log.watermarks(eventTopics());
  const wanted = (event: AzrEvent): boolean =>
    event.envelope.runId === parent && event.envelope.iteration <= upTo && INHERITED.includes(event.type);
  const streams = [...new Set(INHERITED.map(topicOf))].flatMap((topic) =>
    partitionStreams(log, topic, to, wanted),
  );
  const sets = new Map<number, AzrEvent[]>();
  const seen = new Set<string>();
  for (const event of checkpoints)
    sets.set(event.envelope.iteration, [...(sets.get(event.envelope.iteration) ?? []), event]);
  let current = 0;
  for await (const { event } of mergeByIteration(streams)) {
    if (seen.has(event.envelope.eventId)) continue;
    seen.add(event.envelope.eventId);
    const { iteration } = event.envelope;
    // Late facts join their own iteration's next group; the groups of one iteration are appended one after the other.
    if (iteration > current) {
      yield* taken(sets, iteration);
      current = iteration;
    }
    const set = sets.get(iteration);
    if (set === undefined) sets.set(iteration, [event]);
    else set.push(event);
  }
  yield* taken(sets, Number.MAX_SAFE_INTEGER);
}

function* taken(sets: Map<number, AzrEvent[]>, before: number): Generator<AzrEvent[]> {
  for (const [iteration, set] of [...sets].sort(([a], [b]) => a - b))
    if (iteration < before) {
      sets.delete(iteration);
      yield set;
    }
}

function renamed(event: AzrEvent, runId: string): AzrEvent {
  const { envelope, type } = event;
  return {
    ...event,
    envelope: {
      ...envelope,
      eventId: idOf(runId, envelope.iteration, type, 'inherited', envelope.eventId),
      runId,
      correlationId: idOf(runId, envelope.iteration),
      causationId: envelope.eventId,
    },
  };
}

/** Links the files (copies where links are not possible) and names the new folder. */
async function inheritCheckpoint(event: AzrEvent, runId: string, dataFolder: string): Promise<AzrEvent> {
  if (event.type !== 'CheckpointSaved') throw new TypeError(`${event.type} is no CheckpointSaved`);
  const { version, digest, folder } = event.data;
  const from = path.join(dataFolder, folder);
  const to = checkpointFolder(path.join(dataFolder, 'checkpoints'), runId, version);
  const digestOf = (at: string): Promise<string | undefined> =>
    digestOfFile(path.join(at, 'manifest.json')).then(
      ({ sha256 }) => sha256,
      () => undefined,
    );
  const found = await digestOf(from);
  if (found !== digest)
    throw new UsageError(
      `checkpoint ${version} in ${from} ${found === undefined ? 'is missing' : `has digest ${found}`}; the log says ${digest}. Accepted is an iteration whose checkpoint is there`,
    );
  if ((await digestOf(to)) !== digest)
    await placeFolder(to, async (beside) => {
      for (const name of await readdir(from))
        await link(path.join(from, name), path.join(beside, name)).catch(() =>
          cp(path.join(from, name), path.join(beside, name), { recursive: true }),
        );
    });
  return { ...event, data: { ...event.data, folder: path.relative(dataFolder, to) } };
}
