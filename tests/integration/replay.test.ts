/** Replay on a real broker with the real sandbox: a run that holds, and one event changed in a copy of it, named exactly. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { derivedId, DerivedSchemaIds } from '../../pipelines/schema-ids.js';
import { encodeEvent, newestSchema } from '../../pipelines/serde.js';
import { ensureTopics, eventTopics, kafkaClient, SCHEMAS_TOPIC, topicOf } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType, EventType } from '../../schemas/generated/events.js';
import { referenceCheckpoint } from '../../src/activities/reference-checkpoint.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { ADVANTAGES } from '../../src/learner/advantages/names.js';
import { readRun } from '../../src/replay/recorded-iteration.js';
import { replay, type ReplayOptions, type ReplayReport } from '../../src/replay/replay.js';
import { createSandbox, type LocalSandbox } from '../../src/sandbox/index.js';
import { event, exampleEvent } from '../support/events.js';
import { startKafka, type TestKafka } from '../support/kafka.js';
import { iterationEvents, runStarted } from '../support/synthetic-run.js';

const CHECKS = ['executions', 'verdicts', 'rewards', 'advantages'] as const;

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

type Change = (event: AzrEvent) => AzrEvent;

/** Writes a run of two iterations, each event through `change`; the log as the steps would write it. */
async function record(
  change: Change = (event) => event,
  overrides: readonly string[] = [],
  into: EventLog = log,
): Promise<string> {
  const runId = `run-${randomUUID()}`;
  const config = await resolveRunConfig('tiny', overrides);
  await into.append([runStarted(runId, config)], await into.watermarks(eventTopics()));
  for (const iteration of [1, 2]) {
    const since = await into.watermarks(eventTopics());
    await into.append(iterationEvents(runId, iteration, config, since).map(change), since);
  }
  return runId;
}

/** Changes the data of those events of a type and iteration that are meant, and no other. */
function changing<T extends EventType>(
  type: T,
  iteration: number,
  meant: (data: EventDataByType[T]) => boolean,
  change: (data: EventDataByType[T]) => EventDataByType[T],
): Change {
  return (event) => {
    if (event.type !== type || event.envelope.iteration !== iteration) return event;
    const data = event.data as EventDataByType[T];
    return meant(data) ? ({ ...event, data: change(data) } as unknown as AzrEvent) : event;
  };
}

/** The same without some events, as a log that lost them. */
async function recordWithout(
  isLost: (event: AzrEvent) => boolean,
  iterations: readonly number[] = [1, 2],
): Promise<string> {
  const runId = `run-${randomUUID()}`;
  const config = await resolveRunConfig('tiny');
  await log.append([runStarted(runId, config)], await log.watermarks(eventTopics()));
  for (const iteration of iterations) {
    const since = await log.watermarks(eventTopics());
    const events = iterationEvents(runId, iteration, config, since);
    await log.append(
      events.filter((event) => !isLost(event)),
      since,
    );
  }
  return runId;
}

async function replayed(runId: string, options: Partial<ReplayOptions> = {}): Promise<ReplayReport> {
  const result = await replay(log, runId, {
    checks: CHECKS,
    sandbox: () => Promise.resolve(sandbox),
    ...options,
  });
  if (result.kind !== 'replayed') throw new Error(`replay answers ${result.kind}`);
  return result.report;
}

describe('replay', () => {
  it('of a run that holds finds no difference, and says what it compared', async () => {
    const run = await record();
    const report = await replayed(run);
    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({ run, iterations: 2 });
    const checked = Object.fromEntries(
      report.counts.filter(({ iteration }) => iteration === 1).map(({ check, checked: n }) => [check, n]),
    );
    // All facts that the checks read; 4 executions; 5 groups; 3 estimates + 5 proposals + 5 groups; 5 + 16 rows + the batch itself.
    expect(checked).toEqual({ log: 59, executions: 4, verdicts: 5, rewards: 13, advantages: 22 });
  });

  it.each(ADVANTAGES)('of a run with advantages by %s holds', async (advantage) => {
    const report = await replayed(await record(undefined, [`learner.advantage=${advantage}`]), {
      checks: ['advantages'],
    });
    expect(report.differences).toEqual([]);
  });

  it('of a run with permuted solver rewards holds; not where a row kept its true reward', async () => {
    const permuted = ['control.permuteSolverRewards=true'];
    const rewards = new Map<string, number>();
    const moved: string[] = [];
    const run = await record((event) => {
      const { iteration } = event.envelope;
      if (event.type === 'RewardAssigned')
        for (const { sample, reward } of event.data.attempts)
          rewards.set(`${iteration} ${event.data.subjectId} ${sample}`, reward);
      if (event.type === 'LearnerSample') {
        const { role, subjectId, sample, reward } = event.data;
        if (reward !== rewards.get(`${iteration} ${subjectId} ${sample}`)) moved.push(`${iteration} ${role}`);
      }
      return event;
    }, permuted);
    // What was moved are solver rewards, otherwise in each iteration; what was assigned is recomputed as it is.
    expect(new Set(moved)).toEqual(new Set(['1 solve', '2 solve']));
    expect((await replayed(run)).differences).toEqual([]);

    const other = await record(
      changing(
        'LearnerSample',
        2,
        ({ role, subjectId, sample }) =>
          role === 'solve' && subjectId.endsWith('/2/group/learnability/deduction/0') && sample === 0,
        (data) => ({ ...data, reward: data.reward + 1 }),
      ),
      permuted,
    );
    const { differences } = await replayed(other, { checks: ['rewards', 'advantages'] });
    expect(differences.map(({ check, field }) => [check, field])).toEqual([['advantages', 'reward']]);
  });

  it('names a changed reward exactly: its event, its field, both values', async () => {
    const subject = (runId: string): string => `${runId}/2/group/solve/deduction/0`;
    const run = await record(
      changing(
        'RewardAssigned',
        2,
        ({ subjectId }) => subjectId.endsWith('/2/group/solve/deduction/0'),
        (data) => ({
          ...data,
          attempts: data.attempts.map((attempt) =>
            attempt.sample === 1 ? { ...attempt, reward: 0.75 } : attempt,
          ),
        }),
      ),
    );
    const report = await replayed(run, { checks: ['executions', 'verdicts', 'rewards'] });
    expect(report.differences).toEqual([
      {
        iteration: 2,
        check: 'rewards',
        subject: `RewardAssigned ${subject(run)}`,
        field: 'attempts[1].reward',
        recorded: 0.75,
        recomputed: 1,
      },
    ]);
    expect(report.counts.filter(({ differ }) => differ > 0)).toEqual([
      { iteration: 2, check: 'rewards', checked: 13, differ: 1 },
    ]);
    // With the advantages too it is that event alone: its rows follow from what the reward should be.
    const both = await replayed(run);
    expect(both.differences).toEqual(report.differences);
    // Without the check of the rewards nothing tells which of both is wrong.
    const advantages = await replayed(run, { checks: ['advantages'] });
    expect(advantages.differences.every(({ iteration }) => iteration === 2)).toBe(true);
    expect(advantages.differences).toContainEqual(
      expect.objectContaining({
        subject: `LearnerSample ${subject(run)}/1`,
        field: 'reward',
        recorded: 1,
        recomputed: 0.75,
      }),
    );
  });

  it('names a changed verdict, and the rewards that do not follow from it', async () => {
    const run = await record(
      changing(
        'SolutionVerified',
        1,
        ({ groupId }) => groupId.endsWith('/learnability/abduction/0'),
        (data) => ({
          ...data,
          attempts: data.attempts.map((verdict) =>
            verdict.sample === 3 ? { ...verdict, correct: true, accuracy: 1, reason: 'correct' } : verdict,
          ),
        }),
      ),
    );
    const report = await replayed(run, { checks: ['verdicts', 'rewards'] });
    const group = `${run}/1/group/learnability/abduction/0`;
    const verdicts = report.differences.filter(({ check }) => check === 'verdicts');
    expect(
      verdicts.map(({ subject, field, recorded, recomputed }) => [subject, field, recorded, recomputed]),
    ).toEqual([
      [`SolutionVerified ${group}`, 'attempts[3].correct', true, false],
      [`SolutionVerified ${group}`, 'attempts[3].accuracy', 1, 0],
      [`SolutionVerified ${group}`, 'attempts[3].reason', 'correct', 'wrong'],
    ]);
    const subjects = report.differences
      .filter(({ check }) => check === 'rewards')
      .map(({ subject }) => subject);
    const proposal = `${run}/1/proposal/abduction/0`;
    expect([...new Set(subjects)].sort()).toEqual([
      `LearnabilityEstimated ${proposal}`,
      `RewardAssigned ${group}`,
      `RewardAssigned ${proposal}`,
    ]);
  });

  it('names a changed outcome of a program', async () => {
    const run = await record(
      changing(
        'ProgramExecuted',
        1,
        ({ purpose }) => purpose === 'verify',
        (data) => ({ ...data, outcomes: data.outcomes.map((o, i) => (i === 1 ? { ...o, text: '6' } : o)) }),
      ),
    );
    const report = await replayed(run);
    expect(report.differences).toEqual([
      {
        iteration: 1,
        check: 'executions',
        subject: `ProgramExecuted ${run}/1/execution/verify/${run}/1/proposal/abduction/0`,
        field: 'outcomes[1].text',
        recorded: '6',
        recomputed: '5',
      },
    ]);
  });

  it('names a changed advantage, and a reward that is missing', async () => {
    const row = '/1/group/learnability/deduction/1';
    const run = await record((event) => {
      const changed = changing(
        'LearnerSample',
        1,
        ({ subjectId, sample }) => subjectId.endsWith(row) && sample === 2,
        (data) => ({ ...data, advantage: data.advantage + 1 }),
      )(event);
      // A reward of the second iteration becomes one of a subject that does not exist.
      return changing(
        'RewardAssigned',
        2,
        ({ subjectId }) => subjectId.endsWith('/2/proposal/deduction/0'),
        (data) => ({ ...data, subjectId: 'nobody' }),
      )(changed);
    });
    const report = await replayed(run, { checks: ['rewards', 'advantages'] });
    const first = report.differences.filter(({ iteration }) => iteration === 1);
    expect(first).toHaveLength(1);
    expect(first[0]).toMatchObject({
      check: 'advantages',
      subject: `LearnerSample ${run}${row}/2`,
      field: 'advantage',
    });
    const second = report.differences.filter(
      ({ check, iteration }) => check === 'rewards' && iteration === 2,
    );
    expect(second).toEqual([
      expect.objectContaining({ subject: 'RewardAssigned nobody', recomputed: undefined }),
      expect.objectContaining({
        subject: `RewardAssigned ${run}/2/proposal/deduction/0`,
        recorded: undefined,
      }),
    ]);
  });

  it('asks for the learner step again, and names a digest that differs', async () => {
    const run = await record();
    const asked: [number, number][] = [];
    const report = await replayed(run, {
      checks: ['learner'],
      relearn: (_config, iteration, _step, samples) => {
        asked.push([iteration, samples.length]);
        return Promise.resolve(`digest-${iteration === 2 ? 'of another' : iteration}`);
      },
    });
    expect(asked).toEqual([
      [1, 21],
      [2, 21],
    ]);
    expect(report.differences).toEqual([
      {
        iteration: 2,
        check: 'learner',
        subject: `LearnerStepped ${run}/2/batch`,
        field: 'digest',
        recorded: 'digest-2',
        recomputed: 'digest-of another',
      },
    ]);
  });

  it('keeps to the iterations that are asked for', async () => {
    const run = await record();
    const report = await replayed(run, { from: 2, to: 2, checks: ['rewards'] });
    expect(report.counts.map(({ iteration, check }) => [iteration, check])).toEqual([
      [2, 'log'],
      [2, 'rewards'],
    ]);
    const options = { checks: ['rewards'] as const, sandbox: () => Promise.resolve(sandbox) };
    expect(await replay(log, run, { ...options, from: 3 })).toEqual({
      kind: 'no-such-iteration',
      known: [1, 2],
    });
    expect(await replay(log, 'nobody', options)).toEqual({ kind: 'unknown-run' });
  });

  it('takes a fact that stands twice once', async () => {
    const run = await record();
    const config = await resolveRunConfig('tiny');
    // A step that ran again after everything: the same ids, other times, behind the first iteration's range.
    const since = await log.watermarks(eventTopics());
    const again = iterationEvents(run, 2, config, since).filter(({ type }) => type === 'RewardAssigned');
    await log.append(again, since);
    const report = await replayed(run, { checks: ['rewards'] });
    expect(report.differences).toEqual([]);
    expect(report.counts.map(({ checked }) => checked)).toEqual([33, 13, 33, 13]);
  });
});

describe('several partitions a topic', () => {
  it('interleave as they like: a run holds', async (context) => {
    const other = await startKafka();
    if (other.service === undefined) return context.skip('the broker is not ours');
    try {
      await ensureTopics(other.brokers, 4);
      const spread = await createEventLog({ kafkaBrokers: other.brokers });
      try {
        const run = await record(undefined, ['control.permuteSolverRewards=true'], spread);
        const ends = (await spread.watermarks([topicOf('RewardAssigned')]))[topicOf('RewardAssigned')] ?? {};
        expect(Object.values(ends).filter((end) => end !== '0').length).toBeGreaterThan(1);
        const result = await replay(spread, run, {
          checks: CHECKS,
          sandbox: () => Promise.resolve(sandbox),
          jobs: 2,
        });
        expect(result).toMatchObject({ kind: 'replayed', report: { iterations: 2, differences: [] } });
      } finally {
        await spread.close();
      }
    } finally {
      await other.end();
    }
  });
});

describe('a log that is not whole', () => {
  const write = async (topic: string, value: Buffer): Promise<void> => {
    const producer = kafkaClient(kafka.brokers, 'damage').producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ key: 'damage', value }] });
    await producer.disconnect();
  };
  const differing = (report: ReplayReport): unknown[] =>
    report.differences.map(({ iteration, check, subject, field, recorded, recomputed }) => [
      `${iteration} ${check} ${subject} ${field}`.trim(),
      recorded,
      recomputed,
    ]);

  it('names messages that cannot be read, where they stand and why, and checks the rest', async () => {
    const runId = `run-${randomUUID()}`;
    const config = await resolveRunConfig('tiny');
    await log.append([runStarted(runId, config)], await log.watermarks(eventTopics()));
    const topic = topicOf('RewardAssigned');
    const later = JSON.parse(newestSchema('RewardAssigned').schema) as { fields: { name: string }[] };
    const whole = encodeEvent(exampleEvent('RewardAssigned'), new DerivedSchemaIds([]));
    const idOnly = (id: number): Buffer => {
      const header = Buffer.alloc(40);
      header.writeUInt32BE(id, 1);
      return header;
    };
    // A version that this code cannot read: a field without which a reward says nothing is gone.
    const future = JSON.stringify({
      ...later,
      fields: later.fields.filter(({ name }) => name !== 'attempts'),
    });
    const producer = kafkaClient(kafka.brokers, 'damage').producer();
    await producer.connect();
    await producer.send({
      topic: SCHEMAS_TOPIC,
      messages: [{ key: String(derivedId(future)), value: future }],
    });
    await producer.disconnect();
    let first = 0n;
    for (const iteration of [1, 2]) {
      const since = await log.watermarks(eventTopics());
      await log.append(iterationEvents(runId, iteration, config, since), since);
      if (iteration === 2) continue;
      first = BigInt((await log.watermarks([topic]))[topic]?.[0] ?? '0');
      await write(topic, whole.subarray(0, 20));
      await write(topic, Buffer.concat([Buffer.from([7]), whole.subarray(1)]));
      await write(topic, idOnly(77));
      await write(topic, idOnly(derivedId(future)));
    }
    const report = await replayed(runId, { checks: ['rewards', 'advantages'] });
    expect(report.differences.map(({ iteration, check, subject }) => [iteration, check, subject])).toEqual(
      [0n, 1n, 2n, 3n].map((i) => [1, 'log', `${topic}/0/${first + i}`]),
    );
    const details = report.differences.map(({ recomputed }) => recomputed);
    expect(details).toEqual([
      expect.stringMatching(/cannot be read: bad-body: RewardAssigned: /),
      'cannot be read: bad-magic: first byte is 7; accepted is 0',
      'cannot be read: unknown-schema: schema id 77 is not registered',
      expect.stringMatching(/cannot be read: unknown-schema: schema \d+ cannot be read: .*attempts/),
    ]);
  });

  it('names facts that are missing by what the iteration counted, and what cannot be computed without them', async () => {
    const run = await record();
    const lost = await recordWithout(
      ({ type, data }) =>
        (type === 'SolutionVerified' && data.groupId.endsWith('/2/group/solve/deduction/0')) ||
        (type === 'LearnerSample' && data.subjectId.endsWith('/1/proposal/deduction/0')),
    );
    expect((await replayed(run)).differences).toEqual([]);
    const group = `${lost}/2/group/solve/deduction/0`;
    expect(differing(await replayed(lost))).toEqual([
      ['1 log IterationCompleted (LearnerSample) rows', 21, 20],
      [`1 advantages LearnerSample ${lost}/1/proposal/deduction/0/0`, undefined, expect.anything()],
      [`2 verdicts SolutionVerified ${group}`, undefined, expect.anything()],
      [
        `2 rewards RewardAssigned ${group}`,
        'recorded',
        `not computed: the log lacks SolutionVerified of ${group}`,
      ],
    ]);
  });

  it('names a task that is missing, and an iteration without a trace', async () => {
    const lost = await recordWithout(
      ({ type, envelope, data }) =>
        (type === 'TaskAccepted' &&
          envelope.iteration === 3 &&
          data.taskId.endsWith('/3/task/abduction/0')) ||
        (envelope.iteration === 2 && (type === 'IterationStarted' || type === 'IterationCompleted')),
      [1, 2, 3],
    );
    const task = `${lost}/3/task/abduction/0`;
    expect(differing(await replayed(lost, { checks: ['verdicts'] }))).toEqual([
      ['2 log IterationStarted', undefined, 'iteration 3 is completed, so iteration 2 was'],
      ['3 log IterationCompleted (TaskAccepted) accepted', 3, 2],
      ...['learnability', 'solve'].map((purpose) => [
        `3 verdicts SolutionVerified ${lost}/3/group/${purpose}/abduction/0`,
        'recorded',
        `not computed: the log lacks TaskAccepted of ${task}`,
      ]),
    ]);
  });

  it('of which a part was deleted says so at once, with the offsets; the rest is checked', async () => {
    const run = await record();
    const topic = topicOf('RewardAssigned');
    const started = (await readRun(log, run))?.iterations[0]?.from[topic]?.[0] ?? '0';
    const admin = kafkaClient(kafka.brokers, 'damage').admin();
    await admin.connect();
    await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: 0, offset: String(Number(started) + 3) }],
    });
    await admin.disconnect();
    const report = await replayed(run, { checks: ['rewards'] });
    expect(report.differences[0]).toEqual({
      iteration: 1,
      check: 'log',
      subject: `${topic}/0/${started}`,
      field: '',
      recorded: undefined,
      recomputed: `the log has a gap: ${topic}, partition 0, lacks the offsets ${started} to ${Number(started) + 2}`,
    });
    // Three estimates are gone; they are recomputed and named.
    expect(differing(report).slice(1)).toEqual(
      ['deduction/0', 'deduction/1', 'abduction/0'].map((proposal): unknown[] => [
        `1 rewards LearnabilityEstimated ${run}/1/proposal/${proposal}`,
        undefined,
        expect.anything() as unknown,
      ]),
    );
    // Who reads facts to go on from them must not go on from half of them.
    await expect(async () => {
      for await (const _ of log.scan(topic, {})) continue;
    }).rejects.toThrow(/the log has a gap: .*lacks the offsets 0 to/);
  });

  it('with a checkpoint that is not there names it, and checks the other steps', async () => {
    const run = await record();
    const missing = Object.assign(new Error('checkpoint 0: /data/manifest.json cannot be read (ENOENT)'), {
      name: 'CorruptCheckpointError',
    });
    const report = await replayed(run, {
      checks: ['learner'],
      relearn: (_config, iteration) =>
        iteration === 1 ? Promise.reject(missing) : Promise.resolve('digest-2'),
    });
    expect(differing(report)).toEqual([
      [
        `1 learner LearnerStepped ${run}/1/batch digest`,
        'digest-1',
        'not computed: checkpoint 0: /data/manifest.json cannot be read (ENOENT)',
      ],
    ]);
  });
});

describe('the reference policy', () => {
  it('is version 0 of the run, or of the run that it was forked from', async () => {
    const config = await resolveRunConfig('tiny');
    const [parent, child] = [`parent-${randomUUID()}`, `child-${randomUUID()}`];
    const since = await log.watermarks(eventTopics());
    const saved = (version: number): AzrEvent =>
      event('CheckpointSaved', { runId: parent, iteration: version }, [version], {
        version,
        folder: `checkpoints/${parent}/v${version}`,
        digest: `digest ${version}`,
        parentDigest: null,
        bytes: 1,
        warmUp: version === 0,
      });
    await log.append([runStarted(parent, config), saved(0)], since);
    await log.append([saved(1)], since);
    const started = runStarted(child, config);
    if (started.type !== 'RunStarted') throw new Error('RunStarted is no RunStarted');
    await log.append([{ ...started, data: { ...started.data, parentRunId: parent } }], since);

    const expected = { version: 0, folder: `/data/checkpoints/${parent}/v0`, digest: 'digest 0' };
    expect(await referenceCheckpoint(log, parent, '/data')).toEqual(expected);
    expect(await referenceCheckpoint(log, child, '/data')).toEqual(expected);
    await expect(referenceCheckpoint(log, 'nobody', '/data')).rejects.toThrow(/version 0 of run nobody/);
  });
});
