/** What a run starts from, on a real log and in a real sandbox: the built-in tasks, and the rows of a file of each kind. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { eventTopics, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { bufferPolicy, BufferViews } from '../../src/activities/buffer-view.js';
import { makePlantSeeds } from '../../src/activities/plant-seeds.js';
import { RunConfigs } from '../../src/activities/run-configs.js';
import { recordSeedRows } from '../../src/cli/seed-files.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import type { PolicyCodec } from '../../src/policy/codec.js';
import { createTextCodec } from '../../src/policy/text/codec.js';
import { tinyCodec } from '../../src/policy/tiny/codec.js';
import { createSandbox, type LocalSandbox } from '../../src/sandbox/index.js';
import { readSeedFile } from '../../src/tasks/seed-files.js';
import type { EventReference, RunRef, SeedReport } from '../../workflows/types.js';
import { startKafka, type TestKafka } from '../support/kafka.js';
import { runStarted } from '../support/synthetic-run.js';
import { characterTokenizer } from '../unit/policy-text/character-tokenizer.js';

const textCodec = createTextCodec({
  ...{ tokenizer: characterTokenizer, wrapper: 'think', maxResponseTokens: 100 },
});
let kafka: TestKafka;
let log: EventLog;
let sandbox: LocalSandbox;
beforeAll(async () => {
  kafka = await startKafka();
  log = await createEventLog({ kafkaBrokers: kafka.brokers });
  sandbox = await createSandbox();
});
afterAll(async () => {
  await sandbox?.close();
  await log?.close();
  await kafka?.end();
});

async function startedRun(overrides: readonly string[] = []): Promise<RunRef> {
  const runId = `run-${randomUUID()}`;
  const startOffsets = await log.watermarks(eventTopics());
  const [started] = await log.append(
    [runStarted(runId, await resolveRunConfig('tiny', overrides))],
    startOffsets,
  );
  if (started === undefined) throw new Error('RunStarted was not recorded');
  return { runId, started, startOffsets };
}

function plant(run: RunRef, codec: PolicyCodec, seeds: EventReference | null): Promise<SeedReport> {
  const configs = new RunConfigs(log);
  const buffers = new BufferViews(log, async (of) => bufferPolicy(await configs.of(of)));
  const step = makePlantSeeds({
    log,
    configs,
    buffers,
    sandbox,
    codecs: { of: () => Promise.resolve(codec) },
    codeVersion: 'test',
  });
  return new MockActivityEnvironment().run<[RunRef, EventReference | null], SeedReport, typeof step>(
    step,
    run,
    seeds,
  );
}

/** Tasks and rejections. */
async function tasksOf(runId: string): Promise<AzrEvent[]> {
  const found: AzrEvent[] = [];
  const mine = (event: AzrEvent): boolean =>
    event.envelope.runId === runId && (event.type === 'TaskAccepted' || event.type === 'TaskRejected');
  for await (const { event } of log.scan(topicOf('TaskAccepted'), {}, undefined, mine)) found.push(event);
  return found;
}

const placeOf = (event: AzrEvent): unknown[] =>
  event.type === 'TaskAccepted'
    ? [event.data.kind, event.data.origin, event.data.index, event.data.inputs.length]
    : event.type === 'TaskRejected'
      ? [event.data.kind, event.data.origin, event.data.index, event.data.reason]
      : [event.type];

const pairs = (...rows: (readonly [string, string, string])[]): string =>
  rows.map(([snippet, input, output]) => `${JSON.stringify({ snippet, input, output })}\n`).join('');

async function rowsInLog(
  run: RunRef,
  texts: { pairs?: string; induction?: string },
): Promise<EventReference> {
  const files = (['pairs', 'induction'] as const).flatMap((kind) => {
    const text = texts[kind];
    return text === undefined
      ? []
      : [{ fileName: `${kind}.jsonl`, ...readSeedFile('--seed', kind, text, kind) }];
  });
  return recordSeedRows(log, run.runId, files, 'test');
}

describe('without a file', () => {
  it('a run has the identity as a task of each kind, verified; a retry adds nothing', async () => {
    const run = await startedRun();
    const report = { rows: 2, accepted: 2, reasons: {} };
    expect(await plant(run, textCodec, null)).toEqual(report);
    const tasks = await tasksOf(run.runId);
    expect(tasks.map(placeOf).sort()).toEqual([
      ['abduction', 'builtin', 1, 1],
      ['deduction', 'builtin', 1, 1],
      ['induction', 'builtin', 2, 6],
    ]);
    for (const { data } of tasks)
      if ('outputs' in data) expect(data.outputs).toEqual('inputs' in data && data.inputs);
    expect(await plant(run, textCodec, null)).toEqual(report);
    expect(await tasksOf(run.runId)).toHaveLength(3);
  });

  it('a run of the tiny policy has nothing: the identity is no program of its domain', async () => {
    const run = await startedRun();
    expect(await plant(run, tinyCodec, null)).toEqual({ rows: 0, accepted: 0, reasons: {} });
    expect(await tasksOf(run.runId)).toEqual([]);
  });
});

describe('with files', () => {
  const double = 'def f(x):\n    return x * 2';
  const file = pairs(
    [double, '2', '4'],
    [double, '2', '5'],
    [double, '2', '4'],
    [double, '3', '6'],
    ['def f(x):\n    return None', '1', 'None'],
  );
  const induction = `${JSON.stringify({ snippet: double, inputs: ['1', '2'], outputs: ['2', '4'], message: 'm' })}\n`;

  it('each row is a task or a rejection with its line; the buffer has what was used', async () => {
    const run = await startedRun(['buffer.duplicates=refuse', 'buffer.maxTasksPerProgram=1']);
    const report = await plant(run, textCodec, await rowsInLog(run, { pairs: file, induction }));
    const reasons = { 'stored-output-differs': 1, duplicate: 1, 'program-cap': 1, 'none-output': 1 };
    expect(report).toEqual({ rows: 6, accepted: 2, reasons });
    expect((await tasksOf(run.runId)).map((event) => placeOf(event).join(' ')).sort()).toEqual([
      'abduction seed 1 1',
      'deduction seed 1 1',
      'deduction seed 2 stored-output-differs',
      'deduction seed 3 duplicate',
      'deduction seed 4 program-cap',
      'deduction seed 5 none-output',
      'induction seed 1 2',
    ]);
    const config = await new RunConfigs(log).of(run);
    const views = new BufferViews(log, () => Promise.resolve(bufferPolicy(config)));
    const { tasks } = await views.at(run, await log.watermarks(eventTopics()));
    expect([tasks.deduction, tasks.abduction, tasks.induction].map(({ length }) => length)).toEqual([
      1, 1, 1,
    ]);
  });

  it('repeats are used where the buffer allows them, and kinds that the run lacks are not', async () => {
    const run = await startedRun([
      ...['buffer.duplicates=allow', 'buffer.maxTasksPerProgram=0', 'propose.kinds=[deduction]'],
    ]);
    const report = await plant(run, textCodec, await rowsInLog(run, { pairs: file, induction }));
    const reasons = { 'stored-output-differs': 1, 'none-output': 1, 'kind-not-in-run': 1 };
    expect(report).toEqual({ rows: 6, accepted: 3, reasons });
    const used = (await tasksOf(run.runId)).filter(({ type }) => type === 'TaskAccepted');
    expect(used.map((event) => placeOf(event).slice(0, 3).join(' ')).sort()).toEqual(
      [1, 3, 4].map((line) => `deduction seed ${line}`),
    );
  });

  it('rows that an earlier start under the name left behind are not used', async () => {
    const run = await startedRun();
    await rowsInLog(run, { pairs: file });
    const seeds = await rowsInLog(run, { pairs: pairs([double, '7', '14']) });
    expect(seeds.count).toBe(1);
    expect(await plant(run, textCodec, seeds)).toEqual({ rows: 1, accepted: 1, reasons: {} });
  });
});
