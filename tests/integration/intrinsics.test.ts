/**
 * Intrinsic terms in real runs of two iterations, from one seed: without terms, with every term at coefficient 0, and with
 * every term paid. What is measured, what it is worth, what replay finds, and what the log lets one measure afterwards.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventLog, LoggedEvent } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { dataOf } from '../../src/activities/facts.js';
import { countTask, emptyTypeCounters } from '../../src/buffer/type-counters.js';
import { readState, type StackState } from '../../src/config/stack-state.js';
import { combine } from '../../src/reward/combine.js';
import {
  INDUCTION_TERMS,
  PROGRAM_TERMS,
  type IntrinsicSettings,
  type IntrinsicTerm,
} from '../../src/reward/intrinsic/components.js';
import { measuresFromLog, measuresSuffice } from '../../src/reward/intrinsic/measures-from-log.js';
import { replay, type ReplayCheck, type ReplayReport } from '../../src/replay/replay.js';
import { createSandbox, treesIn, type LocalSandbox } from '../../src/sandbox/index.js';
import { azrCli, PLAIN_STEPS, SMALL_MODEL } from '../support/azr-cli.js';

const TERMS: readonly IntrinsicTerm[] = [...PROGRAM_TERMS, ...INDUCTION_TERMS];
const DIVERSITY = TERMS.filter((term) => term.endsWith('answer_diversity'));
const SMALL = [
  ...SMALL_MODEL,
  ...PLAIN_STEPS,
  // Long enough to solve some tasks of every kind, so that every family of terms is paid.
  'policy.warmUp.steps=200',
  'propose.batch=16',
  'solve.batch=4',
  'evaluation.perBucket=2',
  'evaluation.every=2',
];
const every = (coefficient: number): string[] =>
  TERMS.flatMap((term) => [
    `reward.intrinsic.${term}.enabled=true`,
    `reward.intrinsic.${term}.coefficient=${coefficient}`,
  ]);
const RUNS: Readonly<Record<'off' | 'weightless' | 'paid', readonly string[]>> = {
  off: [],
  weightless: every(0),
  paid: [
    ...every(0.4),
    ...DIVERSITY.map((term) => `reward.intrinsic.${term}.rule=hierarchical`),
    'reward.intrinsic.halstead.cap=0.01',
    'reward.combine=multiply_sum',
  ],
};

let dataDir: string;
let log: EventLog;
let sandbox: LocalSandbox;
const { azr, azrJson } = azrCli(() => dataDir);
const sql = <T>(query: string): Promise<T[]> => azrJson<T[]>(['sql', '--json', query]);

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'azr-intrinsics-'));
  const up = await azr(['up']);
  expect(up.code, up.err).toBe(0);
  for (const [run, overrides] of Object.entries(RUNS)) {
    const sets = [...SMALL, ...overrides].flatMap((override) => ['--set', override]);
    const ran = await azr(['run', 'tiny', '--run', run, '--iterations', '2', ...sets, '--follow']);
    expect(ran.code, ran.out + ran.err).toBe(0);
  }
  const port = readState<StackState>(dataDir, 'stack')?.ports.kafka;
  log = await createEventLog({ kafkaBrokers: [`127.0.0.1:${port}`] });
  sandbox = await createSandbox();
});

afterAll(async () => {
  await sandbox?.close();
  await log?.close();
  await azr(['down']);
  await rm(dataDir, { recursive: true, force: true });
});

async function eventsOf(run: string, topic: string): Promise<AzrEvent[]> {
  const found: AzrEvent[] = [];
  for await (const { event } of log.scan(topic, {}, undefined, ({ envelope }) => envelope.runId === run))
    found.push(event);
  return found;
}

async function replayed(
  run: string,
  from: EventLog = log,
  checks: readonly ReplayCheck[] = ['rewards', 'advantages'],
): Promise<ReplayReport> {
  const result = await replay(from, run, {
    checks,
    sandbox: () => Promise.resolve(sandbox),
  });
  if (result.kind !== 'replayed') throw new Error(`replay answers ${result.kind}`);
  return result.report;
}

/** The log with some of its events as another would have written them; undefined takes one away. */
function seenThrough(change: (event: AzrEvent) => AzrEvent | undefined): EventLog {
  async function* changed(entries: AsyncIterable<LoggedEvent>): AsyncGenerator<LoggedEvent> {
    for await (const entry of entries) {
      const event = change(entry.event);
      if (event !== undefined) yield { ...entry, event };
    }
  }
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'scan') return (...args: Parameters<EventLog['scan']>) => changed(target.scan(...args));
      if (name === 'stream')
        return (...args: Parameters<EventLog['stream']>) => changed(target.stream(...args));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

interface RewardRow {
  readonly subject: string;
  readonly kind: string;
  readonly reward: number;
  readonly component: string;
  readonly raw: number;
  readonly coefficient: number;
  readonly cap: number | null;
  readonly value: number;
}

const proposerRewards = (run: string): Promise<RewardRow[]> =>
  sql(
    `select subject_id as subject, kind, reward, component, raw, coefficient, cap, value from reward_assigned final where run_id = '${run}' and role = 'propose' order by subject, component`,
  );

describe('intrinsic terms', () => {
  it('that are off measure nothing and add no component', async () => {
    expect(dataOf(await eventsOf('off', topicOf('IntrinsicsMeasured')), 'IntrinsicsMeasured')).toEqual([]);
    const components = new Set((await proposerRewards('off')).map(({ component }) => component));
    expect(TERMS.filter((term) => components.has(term))).toEqual([]);
  });

  it('of coefficient 0 are measured, and leave the first iteration as it is without them', async () => {
    const rows = (run: string): Promise<unknown[]> =>
      sql(
        `select role, kind, reward, advantage, completion_tokens from learner_sample final where run_id = '${run}' and iteration = 1 order by role, kind, completion_tokens, reward, advantage`,
      );
    const [off, weightless] = [await rows('off'), await rows('weightless')];
    expect(off.length).toBeGreaterThan(40);
    expect(weightless).toEqual(off);
    const measured = await sql<{ measure: string }>(
      `select distinct measure from intrinsics_measured where run_id = 'weightless'`,
    );
    expect(measured.map(({ measure }) => measure).sort()).toEqual([...TERMS].sort());
  });

  it('that are paid stand in the reward by name with raw value, coefficient, cap and value', async () => {
    const bySubject = new Map<string, RewardRow[]>();
    for (const row of await proposerRewards('paid'))
      bySubject.set(row.subject, [...(bySubject.get(row.subject) ?? []), row]);
    const paid = new Set<string>();
    for (const rows of bySubject.values()) {
      const u = rows.find(({ component }) => component === 'learnability');
      const terms = rows.filter(({ component }) => TERMS.some((term) => term === component));
      if (u === undefined || u.raw === 0) {
        expect(terms).toEqual([]);
        continue;
      }
      const wanted = u.kind === 'induction' ? INDUCTION_TERMS : PROGRAM_TERMS;
      expect(terms.map(({ component }) => component).sort()).toEqual([...wanted].sort());
      for (const { component, raw, coefficient, cap, value } of terms) {
        expect([coefficient, cap]).toEqual([0.4, component === 'halstead' ? 0.01 : 0.5]);
        expect(value).toBe(Math.min(coefficient * raw, cap ?? Infinity));
      }
      const values = terms.map(({ value }) => value);
      expect(u.reward).toBeCloseTo(combine(u.raw, values, 'multiply_sum'), 12);
      for (const term of wanted) paid.add(term);
    }
    // Which kinds had a proposal that teaches depends on a policy that has hardly learned; one of them did.
    expect(paid.size).toBeGreaterThan(0);
    const table = await azrJson<{ run_id: string; component: string }[]>([
      'sql',
      '--saved',
      'reward-components',
      '--run',
      'paid',
      '--json',
    ]);
    const shown = table.map(({ component }) => component);
    const terms = TERMS.filter((term) => shown.includes(term));
    expect([...terms].sort()).toEqual([...paid].sort());
  });

  it('replay without a difference, measured anew', async () => {
    for (const run of Object.keys(RUNS)) {
      const report = await replayed(run, log, ['executions', 'verdicts', 'rewards', 'advantages']);
      expect(report.differences, run).toEqual([]);
      expect(report.iterations).toBe(2);
    }
  });

  it('replay names a changed measure, and a lost one, and no other', async () => {
    const [victim] = dataOf(await eventsOf('paid', topicOf('IntrinsicsMeasured')), 'IntrinsicsMeasured');
    if (victim === undefined) throw new Error('nothing was measured');
    const isVictim = (event: AzrEvent): boolean =>
      event.type === 'IntrinsicsMeasured' && event.data.proposalId === victim.proposalId;

    // A measure of a proposal without learnability is worth nothing, so the change shows nowhere else.
    const lost = await replayed(
      'paid',
      seenThrough((event) => (isVictim(event) ? undefined : event)),
    );
    expect(lost.differences.map(({ subject }) => subject)).toEqual([
      `IntrinsicsMeasured ${victim.proposalId}`,
    ]);

    const changed = await replayed(
      'paid',
      seenThrough((event) => {
        if (event.type !== 'IntrinsicsMeasured' || !isVictim(event)) return event;
        const measures = event.data.measures.map(({ name, raw }, i) => ({
          name,
          raw: i === 0 ? raw + 1 : raw,
        }));
        return { ...event, data: { ...event.data, measures } };
      }),
    );
    const fields = changed.differences.filter(({ subject }) => subject.startsWith('IntrinsicsMeasured'));
    expect(fields.map(({ subject, field }) => [subject, field])).toEqual([
      [`IntrinsicsMeasured ${victim.proposalId}`, 'measures[0].raw'],
    ]);
    const others = changed.differences.map(({ subject }) => subject.split(' ').at(-1));
    expect(new Set(others)).toEqual(new Set([victim.proposalId]));
  });

  it('can be measured afterwards from the log of a run that had them off', async () => {
    const on: IntrinsicSettings = Object.fromEntries(
      TERMS.map((term) => [term, { enabled: true, coefficient: 1, cap: 1 }]),
    );
    expect(measuresSuffice({}, on)).toBe(false);
    const tasks = await eventsOf('off', topicOf('TaskAccepted'));
    const proposals = await eventsOf('off', topicOf('ProposalSampled'));
    const counters = emptyTypeCounters();
    const programs = new Map<string, string>();
    for (const { envelope, ...event } of tasks) {
      if (event.type !== 'TaskAccepted' || envelope.iteration >= 1) continue;
      countTask(counters, event.data);
      programs.set(event.data.taskId, event.data.originalCode);
    }
    const first = (events: readonly AzrEvent[]): AzrEvent[] =>
      events.filter(({ envelope }) => envelope.iteration === 1);
    const measured = await measuresFromLog(
      {
        proposals: dataOf(first(proposals), 'ProposalSampled'),
        accepted: dataOf(first(tasks), 'TaskAccepted'),
      },
      { counters, programOf: (id) => programs.get(id) },
      on,
      treesIn(sandbox),
    );
    // The run with coefficient 0 sampled the same first iteration.
    const recorded = dataOf(
      first(await eventsOf('weightless', topicOf('IntrinsicsMeasured'))),
      'IntrinsicsMeasured',
    );
    const raws = (all: readonly { kind: string; measures: readonly unknown[] }[]): string[] =>
      all.map(({ kind, measures }) => JSON.stringify([kind, measures])).sort();
    expect(measured.length).toBeGreaterThan(0);
    expect(raws(measured)).toEqual(raws(recorded));
  });
});
