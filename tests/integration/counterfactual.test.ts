/** Rewards and advantages under other configurations: a real log, real tables beside those of the record. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clickHouseClient } from '../../pipelines/clickhouse/client.js';
import { CounterfactualTables } from '../../pipelines/counterfactual-tables.js';
import type { EventLog } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { completeParameters, runSql, savedQuery } from '../../pipelines/sql.js';
import { eventTopics } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import {
  counterfactual,
  type CounterfactualAdvantage,
  type CounterfactualReport,
  type CounterfactualReward,
} from '../../src/replay/counterfactual.js';
import { writeCounterfactual } from '../../src/replay/write-counterfactual.js';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.js';
import { startKafka, type TestKafka } from '../support/kafka.js';
import { iterationEvents, runStarted } from '../support/synthetic-run.js';

let kafka: TestKafka;
let clickHouse: TestClickHouse;
let log: EventLog;
let addresses: ServiceAddresses;
let run: string;

beforeAll(async () => {
  [kafka, clickHouse] = await Promise.all([startKafka(), startClickHouse()]);
  log = await createEventLog({ kafkaBrokers: kafka.brokers });
  addresses = clickHouse.address as ServiceAddresses;
  run = await record();
});
afterAll(async () => {
  await log?.close();
  await kafka?.end();
  await clickHouse?.end();
});

async function record(change: (event: AzrEvent, runId: string) => AzrEvent = (one) => one): Promise<string> {
  const runId = `run-${randomUUID()}`;
  const config = await resolveRunConfig('tiny', ['learner.advantage=trr_plus_plus']);
  await log.append([runStarted(runId, config)], await log.watermarks(eventTopics()));
  for (const iteration of [1, 2]) {
    const since = await log.watermarks(eventTopics());
    const events = iterationEvents(runId, iteration, config, since);
    await log.append(
      events.map((event) => change(event, runId)),
      since,
    );
  }
  return runId;
}

interface Computed {
  readonly report: CounterfactualReport;
  readonly rewards: readonly CounterfactualReward[];
  readonly advantages: readonly CounterfactualAdvantage[];
}

async function under(overrides: readonly string[], runId = run): Promise<Computed> {
  const rewards: CounterfactualReward[] = [];
  const advantages: CounterfactualAdvantage[] = [];
  const result = await counterfactual(log, runId, {
    wanted: { overrides },
    trees: () => Promise.reject(new Error('no tree is needed here')),
    onRows: (_id, a, b) => {
      rewards.push(...a);
      advantages.push(...b);
      return Promise.resolve();
    },
  });
  if (result.kind !== 'computed') throw new Error(`it answers ${result.kind}`);
  return { report: result.report, rewards, advantages };
}

const groupOf = ({ report }: Computed, role: string, kind: string) =>
  report.groups.find((group) => group.role === role && group.kind === kind);

describe('a counterfactual', () => {
  it('changes the rewards that rest on what differs, and no others', async () => {
    // Nobody solved x * 2: by `inverse` it is the best proposal of all, by `one_minus` a useless one.
    const computed = await under(['reward.learnability=inverse']);
    const changed = computed.rewards.filter(({ recordedReward, reward }) => recordedReward !== reward);
    expect(
      changed.map(({ subjectId, recordedReward, reward }) => [subjectId, recordedReward, reward]),
    ).toEqual([1, 2].map((iteration) => [`${run}/${iteration}/proposal/deduction/1`, -0.5, 1]));
    expect(computed.report).toMatchObject({ run, firstIteration: 1, lastIteration: 2, damage: [] });
    expect(groupOf(computed, 'propose', 'deduction')?.rewards).toMatchObject({
      recorded: 8,
      counterfactual: 8,
      // 1/2, -1/2 or 1, -1/2 of a repeat, -1 of a format error.
      recordedMean: -0.375,
      mean: 0,
      changed: 2,
      signFlips: 2,
    });
    expect(groupOf(computed, 'solve', 'deduction')?.rewards).toMatchObject({ changed: 0, meanShift: 0 });
    // Its task is learned in the other direction, in both iterations.
    expect(computed.report.tasks).toEqual(
      [1, 2].map((i) => ({ taskId: `${run}/${i}/task/deduction/1`, kind: 'deduction', signFlips: 1 })),
    );
  });

  it('of the estimator leaves rewards alone and moves advantages', async () => {
    const { report, advantages } = await under(['learner.advantage=grpo']);
    expect(report.groups.every(({ rewards }) => rewards.changed === 0)).toBe(true);
    expect(advantages.some(({ recordedAdvantage, advantage }) => recordedAdvantage !== advantage)).toBe(true);
    expect(advantages.every(({ recordedReward, reward }) => recordedReward === reward)).toBe(true);
    // The same numbers as a run with that estimator.
    const config = await resolveRunConfig('tiny', ['learner.advantage=grpo']);
    const rows = iterationEvents(run, 2, config, {}).flatMap((event) =>
      event.type === 'LearnerSample' ? [event] : [],
    );
    const found = new Map(advantages.map(({ eventId, advantage }) => [eventId, advantage]));
    for (const { envelope, data } of rows) expect(found.get(envelope.eventId)).toBe(data.advantage);
  });

  it('takes measures that the run did not take', async () => {
    const computed = await under([
      'reward.intrinsic.answer_diversity.enabled=true',
      'reward.intrinsic.answer_diversity.coefficient=1',
      'reward.intrinsic.answer_diversity.cap=2',
    ]);
    const named = computed.rewards.filter(({ components }) =>
      components.some(({ name }) => name === 'answer_diversity'),
    );
    // The two proposals an iteration whose learnability is above 0.
    expect(named).toHaveLength(4);
    for (const { reward, components } of named)
      expect(reward).toBe(components.reduce((sum, { value }) => sum + value, 0));
  });

  it('adds rows that the record does not learn, and leaves out those that it would not', async () => {
    const without = await under(['learnability.train=false', 'learner.trainPropose=false']);
    expect(groupOf(without, 'propose', 'deduction')?.advantages).toMatchObject({
      recorded: 8,
      counterfactual: 0,
      mean: null,
      meanShift: null,
    });
    expect(groupOf(without, 'solve', 'deduction')?.advantages).toMatchObject({
      recorded: 20,
      counterfactual: 4,
    });
  });

  it('of the filter leaves out attempts at tasks that would have left the buffer by then', async () => {
    // The second iteration's solver tries the task of the first that nobody could solve, which `non_one` keeps.
    const tried = await record((event, runId) => {
      const hopeless = `${runId}/1/task/deduction/1`;
      if (event.envelope.iteration !== 2) return event;
      if (event.type !== 'SolutionSampled' && event.type !== 'SolutionVerified') return event;
      if (event.data.groupId !== `${runId}/2/group/solve/deduction/0`) return event;
      return { ...event, data: { ...event.data, taskId: hopeless } } as AzrEvent;
    });
    const left = async (filter: string): Promise<(string | number | null)[][]> =>
      (await under([`reward.validProgramFilter=${filter}`], tried)).advantages
        .filter(({ advantage }) => advantage === null)
        .map(({ iteration, subjectId, sample }) => [iteration, subjectId, sample]);
    expect(await left('non_one')).toEqual([]);
    expect(await left('non_extremes')).toEqual(
      [0, 1].map((n) => [2, `${tried}/2/group/solve/deduction/0`, n]),
    );
  });

  it('stands in tables of its own beside the record; asked again it is the same rows', async () => {
    const wanted = { overrides: ['reward.learnability=inverse'] };
    const tables = await CounterfactualTables.open(addresses, run);
    const client = clickHouseClient(addresses);
    const count = async (table: string): Promise<number> => {
      const answer = await client.query({
        query: `SELECT toUInt32(count()) AS n, toUInt32(uniqExact(event_id)) AS ids FROM ${table} FINAL`,
        format: 'JSONEachRow',
      });
      return (await answer.json<{ n: number }>())[0]?.n ?? 0;
    };
    try {
      const trees = (): Promise<never> => Promise.reject(new Error('no tree is needed here'));
      for (let i = 0; i < 2; i++) {
        const result = await writeCounterfactual(log, tables, run, { wanted, trees }, 'test');
        expect(result.kind).toBe('computed');
        expect([await count('counterfactual_rewards'), await count('counterfactual_advantages')]).toEqual([
          42, 42,
        ]);
      }
      const ask = async (name: string, given: Record<string, string>): Promise<Record<string, unknown>[]> => {
        const query = await savedQuery(name);
        const answer = await runSql(
          addresses,
          query,
          'json',
          await completeParameters(addresses, query, given),
        );
        return JSON.parse(answer.toString('utf8')) as Record<string, unknown>[];
      };
      const changes = await ask('counterfactual-changes', { run });
      expect(changes.map((row) => [row['role'], row['kind'], Number(row['sign_flips'])])).toEqual([
        ['propose', 'abduction', 0],
        ['propose', 'deduction', 2],
        ['solve', 'abduction', 0],
        ['solve', 'deduction', 0],
      ]);
      const id = String(changes[0]?.['counterfactual_id']);
      const flips = await ask('counterfactual-flips', { run, counterfactual: id });
      expect(flips.map((row) => [row['task_id'], Number(row['sign_flips'])])).toEqual([
        [`${run}/1/task/deduction/1`, 1],
        [`${run}/2/task/deduction/1`, 1],
      ]);
      expect(await ask('counterfactual-flips', { run, counterfactual: 'another' })).toEqual([]);
    } finally {
      await client.close();
      await tables.close();
    }
  });

  it('names a run and an iteration that are not there', async () => {
    const options = { wanted: { overrides: ['reward.wrong=0'] }, trees: () => Promise.reject(new Error()) };
    expect(await counterfactual(log, 'nobody', options)).toEqual({ kind: 'unknown-run' });
    expect(await counterfactual(log, run, { ...options, from: 3 })).toEqual({
      kind: 'no-such-iteration',
      known: [1, 2],
    });
  });
});
