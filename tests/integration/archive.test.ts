/** A run out of one log and into another: replayed there, imported twice, damaged on the way. Real brokers, both. */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog, Offsets } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { runStateFromLog } from '../../pipelines/run-state.js';
import { ensureTopics, eventTopics } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { exportRun } from '../../src/archive/export-run.js';
import { importRun } from '../../src/archive/import-run.js';
import { digestOfFile, readArchive, type ArchiveManifest } from '../../src/archive/manifest.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { readRun } from '../../src/replay/recorded-iteration.js';
import { replay } from '../../src/replay/replay.js';
import { createSandbox, type LocalSandbox } from '../../src/sandbox/index.js';
import { event } from '../support/events.js';
import { startKafka, type TestKafka } from '../support/kafka.js';
import { iterationEvents, runStarted } from '../support/synthetic-run.js';

const ITERATIONS = [1, 2, 3];
let here: TestKafka;
let there: TestKafka;
let from: EventLog;
let to: EventLog;
let sandbox: LocalSandbox;
let scratch: string;
let run: string;
let archive: string;
let manifest: ArchiveManifest;
let dataFolder: string;
let target: string;

beforeAll(async () => {
  scratch = await mkdtemp(path.join(os.tmpdir(), 'azr-archive-'));
  here = await startKafka();
  there = await startKafka();
  await ensureTopics(here.brokers);
  await ensureTopics(there.brokers);
  from = await createEventLog({ kafkaBrokers: here.brokers });
  to = await createEventLog({ kafkaBrokers: there.brokers });
  sandbox = await createSandbox();
  dataFolder = path.join(scratch, 'here');
  run = `run-${randomUUID()}`;
  await recordRun(from, run);
  await recordRun(from, `other-${randomUUID()}`);
  // The other log is at other offsets.
  await recordRun(to, `other-${randomUUID()}`, [1]);
  archive = path.join(scratch, 'archive');
  manifest = (await exportRun(from, options(run, archive))) as ArchiveManifest;
});
afterAll(async () => {
  await sandbox?.close();
  await from?.close();
  await to?.close();
  await here?.end();
  await there?.end();
  if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  target = path.join(scratch, randomUUID());
});

const options = (runId: string, folder: string) => ({ runId, folder, dataFolder, codeVersion: 'test' });

/** A synthetic run whose checkpoints are files with the digests that the log says. */
async function recordRun(log: EventLog, runId: string, numbers = ITERATIONS): Promise<void> {
  const config = await resolveRunConfig('tiny');
  await log.append([runStarted(runId, config)], await log.watermarks(eventTopics()));
  for (const iteration of numbers) {
    const since = await log.watermarks(eventTopics());
    const events: AzrEvent[] = [];
    let saved = '';
    for (const one of iterationEvents(runId, iteration, config, since)) {
      if (one.type === 'IterationCompleted')
        events.push({ ...one, data: { ...one.data, checkpointDigest: saved } });
      else if (one.type !== 'CheckpointSaved') events.push(one);
      if (one.type !== 'CheckpointSaved') continue;
      const folder = path.join(dataFolder, one.data.folder);
      await mkdir(folder, { recursive: true });
      await writeFile(path.join(folder, 'manifest.json'), JSON.stringify({ runId, iteration }));
      await writeFile(path.join(folder, 'model.safetensors'), Buffer.alloc(5_000, iteration));
      const { sha256 } = await digestOfFile(path.join(folder, 'manifest.json'));
      saved = sha256;
      events.push({ ...one, data: { ...one.data, digest: sha256 } });
    }
    await log.append(events, since);
  }
}

async function eventsOf(log: EventLog, runId: string): Promise<AzrEvent[]> {
  const found: AzrEvent[] = [];
  for (const topic of eventTopics())
    for await (const { event: one } of log.scan(topic, {}, undefined, (e) => e.envelope.runId === runId))
      found.push(one);
  return found;
}

/** Events without what an import changes, in an order that partitions do not decide. */
const withoutOffsets = (events: readonly AzrEvent[]): AzrEvent[] =>
  events
    .map((one) =>
      one.type === 'IterationStarted' ? { ...one, data: { ...one.data, startOffsetsJson: '' } } : one,
    )
    .sort((a, b) => (a.envelope.eventId < b.envelope.eventId ? -1 : 1));

async function copyOf(): Promise<string> {
  const folder = path.join(scratch, randomUUID());
  await cp(archive, folder, { recursive: true });
  return folder;
}

async function refused(folder: string, said: RegExp, log = to): Promise<void> {
  const before = await log.watermarks(eventTopics());
  await expect(importRun(log, { folder, dataFolder: target })).rejects.toThrow(said);
  expect(await log.watermarks(eventTopics())).toEqual(before);
  expect(await readdir(target).catch(() => [])).toEqual([]);
}

describe('an archive that is damaged or in the way is refused, named, and nothing is written', () => {
  it('a byte of an event file', async () => {
    const folder = await copyOf();
    const file = path.join(folder, 'events/task-accepted.avro');
    const bytes = await readFile(file);
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1;
    await writeFile(file, bytes);
    await refused(folder, /events\/task-accepted\.avro has SHA-256 [0-9a-f]{64}; the manifest says/);
  });

  it('a checkpoint cut short, a file that is missing, no manifest', async () => {
    const folder = await copyOf();
    const [checkpoint] = manifest.checkpoints;
    const file = `${checkpoint?.folder ?? ''}/model.safetensors`;
    await truncate(path.join(folder, file), 4_999);
    await refused(folder, /model\.safetensors has 4999 bytes; the manifest says 5000/);
    await rm(path.join(folder, file));
    await refused(folder, /model\.safetensors is missing/);
    await rm(path.join(folder, 'manifest.json'));
    await refused(folder, /is no archive of a run: manifest\.json cannot be read/);
  });

  it('a manifest of a later format, one that leads out of the folder, one that lies about its events', async () => {
    const change = async (edit: (m: ArchiveManifest) => object): Promise<string> => {
      const folder = await copyOf();
      await writeFile(path.join(folder, 'manifest.json'), JSON.stringify(edit(manifest)));
      return folder;
    };
    await refused(await change((m) => ({ ...m, version: 2 })), /a newer archive needs newer code/);
    await refused(
      await change((m) => ({
        ...m,
        checkpoints: m.checkpoints.map((c) => ({ ...c, folder: 'checkpoints/../../out' })),
      })),
      /accepted is a path inside the archive/,
    );
    await refused(
      await change((m) => ({ ...m, events: m.events.map((e) => ({ ...e, count: e.count + 1 })) })),
      /holds \d+ events; the manifest says \d+/,
    );
    await refused(
      await change((m) => ({ ...m, run: 'another' })),
      /is of run .*; accepted are events of another/,
    );
    await refused(
      await change((m) => ({
        ...m,
        events: m.events.map((e) => (e.type === 'TaskAccepted' ? { ...e, type: 'TaskForgotten' } : e)),
      })),
      /type TaskForgotten, which this code does not know/,
    );
    await refused(
      await change((m) => ({
        ...m,
        events: m.events.map((e) => (e.type === 'TaskAccepted' ? { ...e, type: 'TaskRejected' } : e)),
      })),
      /task-accepted\.avro holds no readable TaskRejected events/,
    );
  });

  it('another run of the same name in the log', async () => {
    const log = to;
    const name = `run-${randomUUID()}`;
    await recordRun(from, name);
    const folder = path.join(scratch, name);
    await exportRun(from, options(name, folder));
    const place = { runId: name, iteration: 1 };
    await log.append(
      [event('RunPaused', place, ['mine'], { reason: 'mine' })],
      await log.watermarks(eventTopics()),
    );
    const config = await resolveRunConfig('tiny', ['seed=99']);
    await log.append([runStarted(name, config)], await log.watermarks(eventTopics()));
    await refused(folder, /stands in this log with another content: RunStarted/);
  });

  it('another checkpoint in the place of one', async () => {
    const elsewhere = path.join(scratch, randomUUID());
    const at = path.join(elsewhere, manifest.checkpoints[0]?.folder ?? '');
    await mkdir(at, { recursive: true });
    await writeFile(path.join(at, 'manifest.json'), '{}');
    await expect(importRun(to, { folder: archive, dataFolder: elsewhere })).rejects.toThrow(
      /holds another checkpoint .*; nothing is imported/,
    );
    expect(await eventsOf(to, run)).toEqual([]);
  });
});

describe('an archive', () => {
  it('holds every event once, each checkpoint, and the same bytes each time', async () => {
    const events = await eventsOf(from, run);
    expect(manifest.events.reduce((sum, { count }) => sum + count, 0)).toBe(events.length);
    expect(manifest).toMatchObject({ run, preset: 'tiny', iterations: ITERATIONS.length });
    expect(manifest.checkpoints.map(({ version }) => version)).toEqual(ITERATIONS);
    const again = path.join(scratch, 'again');
    expect(await exportRun(from, options(run, again))).toEqual(manifest);
    expect(await readArchive(again)).toEqual(manifest);
  });

  it('of a run that does not exist is none; a folder in use and a missing checkpoint are named', async () => {
    const folder = path.join(scratch, 'none');
    expect(await exportRun(from, options('no-such-run', folder))).toBeUndefined();
    expect((await readdir(scratch)).filter((name) => name.startsWith('none'))).toEqual([]);
    await expect(exportRun(from, options(run, archive))).rejects.toThrow(/DIR is .* which is not empty/);
    await expect(
      exportRun(from, { ...options(run, folder), dataFolder: path.join(scratch, 'nowhere') }),
    ).rejects.toThrow(/checkpoint 1 is missing: .*--without-checkpoints/);
    const bare = await exportRun(from, {
      ...options(run, folder),
      dataFolder: path.join(scratch, 'nowhere'),
      checkpoints: false,
    });
    expect(bare?.checkpoints).toEqual([]);
    expect(bare?.events).toEqual(manifest.events);
  });
});

describe('an import into another log', () => {
  it('holds the same events, replays without a difference, and doubles nothing the second time', async () => {
    const first = await importRun(to, { folder: archive, dataFolder: target });
    const events = await eventsOf(from, run);
    expect(first).toEqual({
      run,
      iterations: ITERATIONS.length,
      events: events.length,
      written: events.length,
      checkpoints: ITERATIONS.length,
      checkpointsWritten: ITERATIONS.length,
    });
    const imported = await eventsOf(to, run);
    expect(withoutOffsets(imported)).toEqual(withoutOffsets(events));
    for (const { folder, files } of manifest.checkpoints)
      for (const { file, ...digest } of files)
        expect(await digestOfFile(path.join(target, folder, file))).toEqual(digest);

    const second = await importRun(to, { folder: archive, dataFolder: target });
    expect(second).toMatchObject({ events: events.length, written: 0, checkpointsWritten: 0 });
    expect(await eventsOf(to, run)).toEqual(imported);

    const result = await replay(to, run, {
      checks: ['executions', 'verdicts', 'rewards', 'advantages'],
      sandbox: () => Promise.resolve(sandbox),
    });
    if (result.kind !== 'replayed') throw new Error(`replay answers ${result.kind}`);
    expect(result.report.differences).toEqual([]);
    expect(result.report.iterations).toBe(ITERATIONS.length);
    const checked = new Map(result.report.counts.map((c) => [`${c.iteration} ${c.check}`, c.checked]));
    for (const iteration of ITERATIONS)
      expect([checked.get(`${iteration} executions`), checked.get(`${iteration} advantages`)]).toEqual([
        4, 22,
      ]);
  });

  it('begins each iteration where it stands in this log: its events lie behind, none before', async () => {
    const recorded = await readRun(to, run);
    expect(recorded?.iterations.map(({ iteration }) => iteration)).toEqual(ITERATIONS);
    for (const { iteration, from: begin, to: end } of recorded?.iterations ?? []) {
      const inside = await countOf(begin, end, iteration);
      const all = await countOf({}, undefined, iteration);
      expect([iteration, inside]).toEqual([iteration, all]);
      expect(all).toBeGreaterThan(40);
    }
    const state = await runStateFromLog(to, run);
    expect(state?.iteration).toBe(ITERATIONS.length);
  });

  it('that was broken off goes on, and the way back writes nothing', async () => {
    const name = `run-${randomUUID()}`;
    await recordRun(from, name);
    const folder = path.join(scratch, name);
    await exportRun(from, options(name, folder));
    // As if ended in the second iteration: what was written is there, the rest is not.
    const original = await eventsOf(from, name);
    for (const iteration of [0, 1, 2]) {
      const since = await to.watermarks(eventTopics());
      const events = original
        .filter(({ envelope }) => envelope.iteration === iteration)
        .map((one) =>
          one.type === 'IterationStarted'
            ? { ...one, data: { ...one.data, startOffsetsJson: JSON.stringify(since) } }
            : one,
        );
      const started = events.filter(({ type }) => type === 'IterationStarted');
      const half = iteration < 2 ? events : [...started, ...events.slice(0, 20)];
      await to.append(half, since);
    }
    const there = (await eventsOf(to, name)).length;
    const report = await importRun(to, { folder, dataFolder: target });
    expect(report.written).toBe(original.length - there);
    expect(withoutOffsets(await eventsOf(to, name))).toEqual(withoutOffsets(original));
    const result = await replay(to, name, {
      checks: ['rewards', 'advantages'],
      sandbox: () => Promise.resolve(sandbox),
    });
    expect(result).toMatchObject({ kind: 'replayed', report: { iterations: 3, differences: [] } });
    expect(await importRun(from, { folder, dataFolder })).toMatchObject({
      written: 0,
      checkpointsWritten: 0,
    });
  });
});

async function countOf(begin: Offsets, end: Offsets | undefined, iteration: number): Promise<number> {
  let count = 0;
  const mine = (e: AzrEvent): boolean => e.envelope.runId === run && e.envelope.iteration === iteration;
  for (const topic of eventTopics()) {
    for await (const _ of to.scan(topic, begin, end, mine)) count += 1;
  }
  return count;
}
