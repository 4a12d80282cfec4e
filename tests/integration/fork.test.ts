/** A fork on a real log: the parent's state under another name, complete in the fork's own events. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { runStateFromLog } from '../../pipelines/run-state.js';
import { eventTopics } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { bufferPolicy, BufferViews } from '../../src/activities/buffer-view.js';
import { digestOfFile } from '../../src/archive/manifest.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { idOf } from '../../src/coordinates.js';
import { forkRun, type ForkOptions } from '../../src/fork/fork-run.js';
import { replay } from '../../src/replay/replay.js';
import { createSandbox, type LocalSandbox } from '../../src/sandbox/index.js';
import { event } from '../support/events.js';
import { startKafka, type TestKafka } from '../support/kafka.js';
import { iterationEvents, runStarted } from '../support/synthetic-run.js';

/** A real configuration whose digests the synthetic run leaves alone. */
const config = await resolveRunConfig('tiny');
let kafka: TestKafka;
let log: EventLog;
let sandbox: LocalSandbox;
let dataFolder: string;
let parent: string;

beforeAll(async () => {
  dataFolder = await mkdtemp(path.join(os.tmpdir(), 'azr-fork-'));
  kafka = await startKafka();
  log = await createEventLog({ kafkaBrokers: kafka.brokers });
  sandbox = await createSandbox();
  parent = `run-${randomUUID()}`;
  const since = await log.watermarks(eventTopics());
  await log.append([runStarted(parent, config), await saved(parent, 0), evaluation(parent, 0)], since);
  for (const iteration of [1, 2, 3]) await record(parent, iteration);
});
afterAll(async () => {
  await sandbox?.close();
  await log?.close();
  await kafka?.end();
  if (dataFolder !== undefined) await rm(dataFolder, { recursive: true, force: true });
});

function evaluation(runId: string, iteration: number): AzrEvent {
  return event('EvaluationCompleted', { runId, iteration }, ['held-out'], {
    evaluationId: `${runId}/${iteration}`,
    checkpointVersion: iteration,
    checkpointDigest: 'x',
    benchmark: 'held-out.v1',
    scores: [{ kind: 'deduction', bucket: '1', count: 10, correct: 1 }],
    durationMs: 1,
  });
}

/** A checkpoint on disk and the fact of it. */
async function saved(runId: string, version: number): Promise<AzrEvent> {
  const folder = `checkpoints/${runId}/v0000${version}`;
  const at = path.join(dataFolder, folder);
  await mkdir(at, { recursive: true });
  await writeFile(path.join(at, 'manifest.json'), JSON.stringify({ runId, version }));
  await writeFile(path.join(at, 'model.safetensors'), Buffer.alloc(100, version));
  const { sha256: digest } = await digestOfFile(path.join(at, 'manifest.json'));
  const data = { version, folder, digest, parentDigest: null, bytes: 100, warmUp: version === 0 };
  return event('CheckpointSaved', { runId, iteration: version }, [version, digest], data);
}

async function record(runId: string, iteration: number): Promise<void> {
  const since = await log.watermarks(eventTopics());
  const checkpoint = await saved(runId, iteration);
  const digest = checkpoint.type === 'CheckpointSaved' ? checkpoint.data.digest : '';
  await log.append(
    iterationEvents(runId, iteration, config, since).map((one) => {
      if (one.type === 'CheckpointSaved') return checkpoint;
      if (one.type === 'IterationCompleted')
        return { ...one, data: { ...one.data, checkpointDigest: digest } };
      return one;
    }),
    since,
  );
}

const fork = (options: Partial<ForkOptions> = {}) =>
  forkRun(log, { parent, iteration: 2, overrides: [], dataFolder, codeVersion: 'test', ...options });
const freshName = (): string => `fork-${randomUUID()}`;

async function eventsOf(runId: string): Promise<AzrEvent[]> {
  const found: AzrEvent[] = [];
  for (const topic of eventTopics())
    for await (const { event: one } of log.scan(topic, {}, undefined, (e) => e.envelope.runId === runId))
      found.push(one);
  return found;
}

/** A run's buffer as the steps of the next iteration see it. */
async function bufferOf(runId: string): Promise<unknown> {
  const logged = await runStateFromLog(log, runId);
  if (logged === undefined) throw new Error(`${runId} has no state`);
  const { run } = logged.state(dataFolder);
  const views = new BufferViews(log, () => Promise.resolve(bufferPolicy(config.config)));
  return views.at(run, await log.watermarks(eventTopics()));
}

describe('a fork', () => {
  it('has the buffer, the counters and the checkpoint that the parent had at that iteration', async () => {
    // A run that ended there is what the fork must look like.
    const twin = `run-${randomUUID()}`;
    await log.append(
      [runStarted(twin, config), await saved(twin, 0), evaluation(twin, 0)],
      await log.watermarks(eventTopics()),
    );
    for (const iteration of [1, 2]) await record(twin, iteration);

    const forked = await fork({ runId: freshName() });
    if (forked === undefined) throw new Error('the parent is not known');
    expect(forked.iteration).toBe(2);
    const state = forked.logged.state(dataFolder);
    const wanted = (await runStateFromLog(log, twin))?.state(dataFolder);
    expect(state).toMatchObject({
      iteration: 2,
      elapsedMs: wanted?.elapsedMs,
      lastEvaluated: wanted?.lastEvaluated,
      pauses: 0,
    });
    expect(state.elapsedMs).toBe(800);
    expect(state.checkpoint.version).toBe(2);
    expect(state.checkpoint.folder).toBe(path.join(dataFolder, `checkpoints/${forked.runId}/v00002`));
    expect(JSON.parse(await readFile(path.join(state.checkpoint.folder, 'manifest.json'), 'utf8'))).toEqual({
      runId: parent,
      version: 2,
    });
    expect(await readFile(path.join(state.checkpoint.folder, 'model.safetensors'))).toEqual(
      Buffer.alloc(100, 2),
    );
    const plain = (value: unknown, run: string): string =>
      JSON.stringify(value, (_key, node: unknown) =>
        node instanceof Map || node instanceof Set ? [...node] : node,
      ).replaceAll(run, 'RUN');
    const [mine, theirs] = [await bufferOf(forked.runId), await bufferOf(twin)];
    expect(plain(mine, parent)).toBe(plain(theirs, twin));
    expect(plain(mine, parent).length).toBeGreaterThan(500);
  });

  it('says whose it is: in RunStarted, in RunForked, and in the cause of every fact that it took over', async () => {
    const runId = freshName();
    const forked = await fork({ runId, overrides: ['seed=7'] });
    const events = await eventsOf(runId);
    const started = events.find(({ type }) => type === 'RunStarted');
    expect(started?.data).toMatchObject({ parentRunId: parent, parentIteration: 2, seed: 7 });
    expect(started?.data).toMatchObject({
      initialCheckpointDigest: forked?.logged.state(dataFolder).checkpoint.digest,
    });
    expect(events.filter(({ type }) => type === 'RunForked').map(({ data }) => data)).toEqual([
      { parentRunId: parent, parentIteration: 2 },
    ]);
    const causes = new Map((await eventsOf(parent)).map((one) => [one.envelope.eventId, one]));
    const taken = events.filter(({ type }) => type !== 'RunStarted' && type !== 'RunForked');
    expect(taken).toHaveLength(forked?.inherited ?? 0);
    for (const one of taken) {
      const cause = causes.get(one.envelope.causationId ?? '');
      expect([one.type, one.envelope.iteration]).toEqual([cause?.type, cause?.envelope.iteration]);
      expect(one.envelope.iteration).toBeLessThanOrEqual(2);
      if (one.type !== 'CheckpointSaved') expect(one.data).toEqual(cause?.data);
    }
    expect(new Set(taken.map(({ type }) => type))).toEqual(
      new Set([
        'CheckpointSaved',
        'TaskAccepted',
        'SolutionVerified',
        'EvaluationCompleted',
        'IterationCompleted',
      ]),
    );
  });

  it('goes on, and its own log suffices to replay what it does', async () => {
    const runId = freshName();
    await fork({ runId });
    await record(runId, 3);
    const result = await replay(log, runId, {
      checks: ['executions', 'verdicts', 'rewards', 'advantages'],
      sandbox: () => Promise.resolve(sandbox),
    });
    expect(result).toMatchObject({ kind: 'replayed', report: { iterations: 1, differences: [] } });
    expect((await runStateFromLog(log, runId))?.iteration).toBe(3);
    // A fork of the fork, where it began and at an iteration of its own; what lies before is the parent's.
    expect((await fork({ parent: runId, iteration: 2, runId: freshName() }))?.iteration).toBe(2);
    await expect(fork({ parent: runId, iteration: 1, runId: freshName() })).rejects.toThrow(
      `accepted is an iteration from 2 on, or a fork of its parent ${parent}`,
    );
    expect((await fork({ parent: runId, iteration: 3, runId: freshName() }))?.iteration).toBe(3);
  });

  it('of iteration 0 begins after the warm-up; without an iteration at the newest', async () => {
    const zero = await fork({ iteration: 0, runId: freshName() });
    const state = zero?.logged.state(dataFolder);
    expect(state).toMatchObject({ iteration: 0, elapsedMs: 0, lastEvaluated: 0, checkpoint: { version: 0 } });
    const { iteration: _none, ...newest } = { iteration: 0, parent, overrides: [], dataFolder };
    const last = await forkRun(log, { ...newest, codeVersion: 'test' });
    expect([last?.runId, last?.iteration]).toEqual([`${parent}-at-3`, 3]);
  });

  it('that was broken off cannot be resumed, and the same call completes it; a complete one is a name taken', async () => {
    const runId = freshName();
    const whole = await fork({ runId });
    const events = await eventsOf(runId);
    // As if ended after the first iteration's facts.
    const half = `half-${randomUUID()}`;
    const eventId = idOf(half, 0, 'RunStarted');
    const started = events
      .filter(({ type }) => type === 'RunStarted')
      .map((one) => ({ ...one, envelope: { ...one.envelope, runId: half, eventId } }));
    await log.append(started, await log.watermarks(eventTopics()));
    await expect(runStateFromLog(log, half)).rejects.toThrow(
      /is half a fork of .*; accepted is the same npx azr fork/,
    );
    const completed = await fork({ runId: half });
    expect(completed?.inherited).toBe(whole?.inherited);
    expect((await eventsOf(half)).length).toBe(events.length);
    await expect(fork({ runId: half })).rejects.toThrow(/exists already; accepted is a new name/);
    await expect(fork({ runId: parent })).rejects.toThrow(/exists already/);
  });

  it('names what it cannot do', async () => {
    expect(await fork({ parent: 'no-such-run' })).toBeUndefined();
    const runId = freshName();
    await expect(fork({ runId, iteration: 9 })).rejects.toThrow(
      `iteration is 9; accepted are completed iterations of ${parent}: 0 to 3`,
    );
    await expect(fork({ runId: 'a b' })).rejects.toThrow(/--run is "a b"; accepted are letters/);
    await expect(fork({ runId, overrides: ['policy.model.layers=3'] })).rejects.toThrow(
      /--set changes the policy .* accepted are all other groups/,
    );
    await expect(
      fork({ runId, overrides: ['propose.kinds=[deduction, error]', 'propose.composite.chance=0.5'] }),
    ).rejects.toThrow(/adds error prediction .* and composite programs .* accepted is a new run/);
    await expect(fork({ runId, overrides: ['no.such.key=1'] })).rejects.toThrow(/key no is unknown/);
    await expect(fork({ runId, overrides: ['schedule.iterations=2'] })).rejects.toThrow(
      /schedule\.iterations is 2, and the fork starts after iteration 2; accepted is more/,
    );
    await expect(fork({ runId, overrides: ['schedule.minutes=0.01'] })).rejects.toThrow(
      /schedule\.minutes is 0\.01/,
    );
    await rm(path.join(dataFolder, `checkpoints/${parent}/v00001`), { recursive: true });
    await expect(fork({ runId, iteration: 1 })).rejects.toThrow(
      /checkpoint 1 in .* is missing; the log says/,
    );
    expect(await eventsOf(runId)).toEqual([]);
  });
});
