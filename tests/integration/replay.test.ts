/** Replay on a real broker with the real sandbox: a run that holds, and one event changed in a copy of it, named exactly. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { eventTopics } from '../../pipelines/topics.js';
import type { AzrEvent, EventDataByType, EventType } from '../../schemas/generated/events.js';
import { referenceCheckpoint } from '../../src/activities/reference-checkpoint.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { ADVANTAGES } from '../../src/learner/advantages/names.js';
import { replay, type ReplayOptions, type ReplayReport } from '../../src/replay/replay.js';
import { createSandbox, type LocalSandbox } from '../../src/sandbox/index.js';
import { event } from '../support/events.js';
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
async function record(change: Change = (event) => event, overrides: readonly string[] = []): Promise<string> {
  const runId = `run-${randomUUID()}`;
  const config = await resolveRunConfig('tiny', overrides);
  await log.append([runStarted(runId, config)], await log.watermarks(eventTopics()));
  for (const iteration of [1, 2]) {
    const since = await log.watermarks(eventTopics());
    await log.append(iterationEvents(runId, iteration, config, since).map(change), since);
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
    // 4 executions; 5 groups; 3 estimates + 5 proposals + 5 groups; 5 + 16 rows + the batch itself.
    expect(checked).toEqual({ executions: 4, verdicts: 5, rewards: 13, advantages: 22 });
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
    // Advantages are recomputed from recorded rewards: the rows that came from the true one now differ.
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
    expect(report.counts.map(({ iteration }) => iteration)).toEqual([2]);
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
    expect(report.counts.map(({ checked }) => checked)).toEqual([13, 13]);
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
