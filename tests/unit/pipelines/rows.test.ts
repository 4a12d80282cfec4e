import { describe, expect, it } from 'vitest';
import { rowsOf, snakeCase } from '../../../pipelines/clickhouse/rows.js';
import type { AzrEvent } from '../../../schemas/generated/events.js';
import { tablesOf } from '../../support/ddl.js';
import { event, EVENT_TYPES, sampleEvents } from '../../support/events.js';

const TABLES = new Map(
  ['001_events.sql', '005_intrinsics.sql', '007_seed_rows.sql'].flatMap((file) => [...tablesOf(file)]),
);
const AT = { partition: 2, offset: '9007199254740993' };
const PLACE = { runId: 'r', iteration: 3 };

/** Lists that become rows may be empty in a random event: those with rows say something about columns. */
const withRows = (type: (typeof EVENT_TYPES)[number]): AzrEvent[] =>
  sampleEvents(type, 60).filter((given) => rowsOf(given, AT).rows.length > 0);

/** Does a column of this type take this value from JSON? */
function takes(type: string, value: unknown): boolean {
  const inner = /^(?:LowCardinality|Nullable|Array)\((.*)\)$/.exec(type)?.[1] ?? '';
  if (type.startsWith('LowCardinality')) return takes(inner, value);
  if (type.startsWith('Nullable')) return value === null || takes(inner, value);
  if (type.startsWith('Array')) return Array.isArray(value) && value.every((item) => takes(inner, item));
  if (type === 'String') return typeof value === 'string';
  if (type === 'Bool') return typeof value === 'boolean';
  if (type === 'UInt64') return typeof value === 'string' && /^\d+$/.test(value);
  if (type.startsWith('Int')) return Number.isSafeInteger(value);
  if (type.startsWith('Float')) return typeof value === 'number';
  if (type.startsWith('DateTime64'))
    return typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/.test(value);
  throw new RangeError(`${type} is a type that this test does not know`);
}

describe('rows', () => {
  it('the migration has a table for every event and no other, beside the offsets', () => {
    expect([...TABLES.keys()].sort()).toEqual([...EVENT_TYPES.map(snakeCase), 'sink_offsets'].sort());
  });

  it.each(EVENT_TYPES)('%s has exactly the columns of its table', (type) => {
    const given = withRows(type);
    expect(given.length).toBeGreaterThan(0);
    for (const one of given) {
      const { table, rows } = rowsOf(one, AT);
      const wanted = TABLES.get(table)?.columns.filter(({ materialized }) => !materialized) ?? [];
      for (const row of rows) {
        expect(Object.keys(row).sort()).toEqual(wanted.map(({ name }) => name).sort());
        for (const { name, type: columnType } of wanted)
          expect({ name, columnType, takes: takes(columnType, row[name]) }).toEqual({
            name,
            columnType,
            takes: true,
          });
      }
    }
  });

  it.each(EVENT_TYPES)('%s: no two rows of one event share a sorting key', (type) => {
    const { orderBy } = TABLES.get(snakeCase(type)) ?? { orderBy: [] };
    expect(orderBy.slice(0, 3)).toEqual(['run_id', 'iteration', 'event_id']);
    const lists = {
      SolutionSampled: 'sample',
      SolutionVerified: 'sample',
      RewardAssigned: 'sample,component',
      IntrinsicsMeasured: 'measure',
    };
    const more = { ...lists, EvaluationCompleted: 'kind,bucket', LearnerBatchPrepared: 'role,kind' };
    expect(orderBy.slice(3).join(',')).toBe((more as Partial<Record<string, string>>)[type] ?? '');
  });

  it('carry the envelope and the place in the log', () => {
    const given = event(
      'RunPaused',
      PLACE,
      ['x'],
      { reason: 'asked' },
      { causationId: 'c', policyVersion: null },
    );
    expect(rowsOf(given, AT)).toEqual({
      table: 'run_paused',
      rows: [
        {
          event_id: given.envelope.eventId,
          run_id: 'r',
          iteration: 3,
          correlation_id: given.envelope.correlationId,
          causation_id: 'c',
          policy_version: null,
          occurred_at: '2026-01-01 00:03:00.000',
          code_version: 'test',
          log_partition: 2,
          log_offset: '9007199254740993',
          reason: 'asked',
        },
      ],
    });
  });

  it('are one an attempt and component for a reward', () => {
    const { rows } = rowsOf(
      event('RewardAssigned', PLACE, ['g'], {
        role: 'solve',
        kind: 'deduction',
        subjectId: 'g',
        taskId: 't',
        attempts: [0, 1].map((sample) => ({
          sample,
          reward: 1.5,
          components: [
            { name: 'accuracy', raw: 1, coefficient: 1, cap: null, value: 1 },
            { name: 'format', raw: 1, coefficient: 0.5, cap: 2, value: 0.5 },
          ],
        })),
      }),
      AT,
    );
    expect(
      rows.map((row) => [row['sample'], row['component'], row['reward'], row['value'], row['cap']]),
    ).toEqual([
      [0, 'accuracy', 1.5, 1, null],
      [0, 'format', 1.5, 0.5, 2],
      [1, 'accuracy', 1.5, 1, null],
      [1, 'format', 1.5, 0.5, 2],
    ]);
  });

  it('keep the pairs of an induction task beside every attempt', () => {
    const attempt = {
      seed: 1,
      completionText: '',
      completionTokens: [1],
      logProbs: [-0.5],
      finish: 'end' as const,
      thought: null,
      answer: null,
      formatOk: false,
    };
    const { rows } = rowsOf(
      event('SolutionSampled', PLACE, ['g'], {
        groupId: 'g',
        taskId: 't',
        kind: 'induction',
        purpose: 'solve',
        index: 0,
        templateVersion: 'v',
        promptText: null,
        promptTokens: [],
        givenPairs: [{ input: '1', output: '2' }],
        hiddenPairs: [
          { input: '3', output: '4' },
          { input: '5', output: '6' },
        ],
        temperature: 1,
        attempts: [
          { ...attempt, sample: 0 },
          { ...attempt, sample: 1 },
        ],
      }),
      AT,
    );
    expect(rows).toHaveLength(2);
    for (const row of rows)
      expect(row).toMatchObject({
        given_inputs: ['1'],
        given_outputs: ['2'],
        hidden_inputs: ['3', '5'],
        hidden_outputs: ['4', '6'],
      });
  });

  it('are named in snake case', () => {
    expect(['maxRssKiB', 'eventId', 'SolutionSampled', 'loss', 'meanSolveRate'].map(snakeCase)).toEqual([
      'max_rss_kib',
      'event_id',
      'solution_sampled',
      'loss',
      'mean_solve_rate',
    ]);
  });
});
