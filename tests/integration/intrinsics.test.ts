/**
 * Intrinsic terms in real runs of two iterations, from one seed: without terms, with every term at coefficient 0, and with
 * every term paid. What is measured, what it is worth, what replay finds, and what the log lets one measure afterwards.
 * What the terms of the recorded programs must be, CPython says (intrinsic_terms.py), and not our own measures.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventLog, LoggedEvent } from '../../pipelines/event-log.js';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { dataOf } from '../../src/activities/facts.js';
import { countTask, emptyTypeCounters } from '../../src/buffer/type-counters.js';
import { readState, type StackState } from '../../src/config/stack-state.js';
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
  // Long enough to solve some tasks of every kind and not all, so that every term is paid.
  'policy.warmUp.steps=200',
  'propose.batch=16',
  'solve.batch=4',
  'evaluation.perBucket=2',
  'evaluation.every=2',
];
const every = (coefficient: number, enabled = true): string[] =>
  TERMS.flatMap((term) => [
    `reward.intrinsic.${term}.enabled=${enabled}`,
    `reward.intrinsic.${term}.coefficient=${coefficient}`,
  ]);
const RUNS: Readonly<Record<'off' | 'weightless' | 'paid', readonly string[]>> = {
  off: every(0.4, false),
  weightless: every(0),
  paid: [
    ...every(0.4),
    // Many proposals, so that some of each kind teach.
    'propose.batch=32',
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
  const changed = (entry: LoggedEvent): LoggedEvent[] => {
    const event = change(entry.event);
    return event === undefined ? [] : [{ ...entry, event }];
  };
  async function* singly(entries: AsyncIterable<LoggedEvent>): AsyncGenerator<LoggedEvent> {
    for await (const entry of entries) yield* changed(entry);
  }
  async function* together(
    chunks: AsyncIterable<readonly LoggedEvent[]>,
  ): AsyncGenerator<readonly LoggedEvent[]> {
    for await (const entries of chunks) yield entries.flatMap(changed);
  }
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'scan') return (...args: Parameters<EventLog['scan']>) => singly(target.scan(...args));
      if (name === 'stream')
        return (...args: Parameters<EventLog['stream']>) => together(target.stream(...args));
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

/** By proposal, the raw value of each term that applies to its kind, by CPython from the recorded tasks alone. */
async function byCPython(
  run: string,
  rule: 'flat' | 'hierarchical',
): Promise<ReadonlyMap<string, Readonly<Record<string, number>>>> {
  const proposals = dataOf(await eventsOf(run, topicOf('ProposalSampled')), 'ProposalSampled');
  const shownTo = new Map(proposals.map((proposal) => [proposal.proposalId, proposal.referenceTaskIds]));
  const programs = new Map<string, string>();
  const iterations: object[][] = [];
  for (const { envelope, ...event } of await eventsOf(run, topicOf('TaskAccepted'))) {
    if (event.type !== 'TaskAccepted') continue;
    const { taskId, proposalId: id, kind, originalCode: code, inputs, outputs } = event.data;
    programs.set(taskId, code);
    const references = id === null ? [] : (shownTo.get(id) ?? []);
    (iterations[envelope.iteration] ??= []).push({ id, kind, code, inputs, outputs, references });
  }
  const input = JSON.stringify(
    { rule, iterations: Array.from(iterations, (tasks) => tasks ?? []) },
    (key, value) =>
      key === 'references' ? (value as string[]).map((id) => programs.get(id)) : (value as unknown),
  );
  const script = fileURLToPath(new URL('./intrinsic_terms.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3.11', ['-I', script], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`intrinsic_terms.py ended with ${status}: ${stderr}`);
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, Record<string, number>>));
}

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

  it('of the recorded programs are what CPython makes of them', async () => {
    for (const [run, rule] of [
      ['weightless', 'flat'],
      ['paid', 'hierarchical'],
    ] as const) {
      const expected = await byCPython(run, rule);
      const measured = dataOf(await eventsOf(run, topicOf('IntrinsicsMeasured')), 'IntrinsicsMeasured');
      expect(measured.map(({ proposalId }) => proposalId).sort()).toEqual([...expected.keys()].sort());
      for (const { proposalId, measures } of measured) {
        const wanted = expected.get(proposalId) ?? {};
        expect(measures.map(({ name }) => name)).toEqual(Object.keys(wanted));
        for (const { name, raw } of measures)
          expect(raw, `${name} of ${proposalId}`).toBeCloseTo(wanted[name] ?? NaN, 9);
      }
    }
  });

  it('that are paid stand in the reward by name with raw value, coefficient, cap and value', async () => {
    const expected = await byCPython('paid', 'hierarchical');
    const rewards = dataOf(await eventsOf('paid', topicOf('RewardAssigned')), 'RewardAssigned');
    const paid = new Set<string>();
    for (const { role, kind, subjectId, attempts } of rewards) {
      if (role !== 'propose') continue;
      for (const { reward, components } of attempts) {
        const [learnability, ...others] = components;
        const u = learnability?.name === 'learnability' ? learnability.raw : 0;
        if (u === 0) {
          expect(components.filter(({ name }) => TERMS.some((term) => term === name))).toEqual([]);
          continue;
        }
        const names = kind === 'induction' ? INDUCTION_TERMS : PROGRAM_TERMS;
        expect(others.map(({ name }) => name)).toEqual(names);
        let sum = 0;
        for (const { name, raw, coefficient, cap, value } of others) {
          const bound = name === 'halstead' ? 0.01 : 0.5;
          const wanted = expected.get(subjectId)?.[name] ?? NaN;
          expect(raw, `${name} of ${subjectId}`).toBeCloseTo(wanted, 9);
          expect([coefficient, cap]).toEqual([0.4, bound]);
          expect(value, `${name} of ${subjectId}`).toBeCloseTo(Math.min(0.4 * wanted, bound), 9);
          sum += Math.min(0.4 * wanted, bound);
          paid.add(name);
        }
        expect(reward, subjectId).toBeCloseTo(u * sum, 9);
      }
    }
    expect([...paid].sort()).toEqual([...TERMS].sort());
    const table = await azrJson<{ component: string }[]>([
      'sql',
      '--saved',
      'reward-components',
      '--run',
      'paid',
      '--json',
    ]);
    const shown = table.map(({ component }) => component);
    for (const term of TERMS) expect(shown).toContain(term);
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
