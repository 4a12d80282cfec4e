/** An event as rows of its table: names in snake case; attempts, components, scores and baselines one row each. */
import type { AzrEvent } from '../../schemas/generated/events.js';

/** Rows of one event: values in the order of the columns, those that all its rows share once. */
export interface EventRows {
  readonly table: string;
  readonly columns: readonly string[];
  readonly common: readonly unknown[];
  /** What comes behind the common values, a row each. */
  readonly rows: readonly (readonly unknown[])[];
}

export interface TableRows {
  readonly table: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export interface LogPosition {
  readonly partition: number;
  readonly offset: string;
}

/** What DateTime64 holds: 1900 to 2299. */
const FIRST_TIME = Date.UTC(1900, 0, 1);
const LAST_TIME = Date.UTC(2299, 11, 31);

const ENVELOPE_COLUMNS = [
  'event_id',
  'run_id',
  'iteration',
  'correlation_id',
  'causation_id',
  'policy_version',
  'occurred_at',
  'code_version',
  'log_partition',
  'log_offset',
];

/** @throws RangeError where a value has no place in the table. */
export function eventRows(event: AzrEvent, at: LogPosition): EventRows {
  const { eventId, runId, iteration, correlationId, causationId, policyVersion, occurredAt, codeVersion } =
    event.envelope;
  const { columns, common, rows } = payloadRows(event);
  return {
    table: snakeCase(event.type),
    columns: [...ENVELOPE_COLUMNS, ...columns],
    common: [
      eventId,
      runId,
      iteration,
      correlationId,
      causationId,
      policyVersion,
      timeText(occurredAt),
      codeVersion,
      at.partition,
      at.offset,
      ...common,
    ],
    rows,
  };
}

/** The same as objects, a column a key. @throws RangeError where a value has no place in the table. */
export function rowsOf(event: AzrEvent, at: LogPosition): TableRows {
  const { table, columns, common, rows } = eventRows(event, at);
  return {
    table,
    rows: rows.map((own) => {
      const values = [...common, ...own];
      return Object.fromEntries(columns.map((column, i) => [column, values[i]]));
    }),
  };
}

function timeText(milliseconds: number): string {
  if (!(milliseconds >= FIRST_TIME && milliseconds <= LAST_TIME))
    throw new RangeError(
      `envelope.occurredAt is ${milliseconds}; accepted are milliseconds since 1970 of the years 1900 to 2299`,
    );
  return new Date(milliseconds).toISOString().replace('T', ' ').slice(0, 23);
}

type PayloadRows = Omit<EventRows, 'table'>;

function payloadRows(event: AzrEvent): PayloadRows {
  switch (event.type) {
    case 'SolutionSampled': {
      const { attempts, givenPairs, hiddenPairs, ...group } = event.data;
      const pairs = {
        givenInputs: givenPairs.map(({ input }) => input),
        givenOutputs: givenPairs.map(({ output }) => output),
        hiddenInputs: hiddenPairs.map(({ input }) => input),
        hiddenOutputs: hiddenPairs.map(({ output }) => output),
      };
      return nested({ ...group, ...pairs }, attempts);
    }
    case 'SolutionVerified': {
      const { attempts, ...group } = event.data;
      return nested(group, attempts);
    }
    case 'RewardAssigned': {
      const { attempts, ...subject } = event.data;
      return nested(
        subject,
        attempts.flatMap(({ sample, reward, components }) =>
          components.map(({ name, ...component }) => ({ sample, reward, component: name, ...component })),
        ),
      );
    }
    case 'IntrinsicsMeasured': {
      const { measures, ...proposal } = event.data;
      return nested(
        proposal,
        measures.map(({ name, raw }) => ({ measure: name, raw })),
      );
    }
    case 'EvaluationCompleted': {
      const { scores, ...evaluation } = event.data;
      return nested(evaluation, scores);
    }
    case 'LearnerBatchPrepared': {
      const { baselines, ...batch } = event.data;
      return nested(batch, baselines);
    }
    case 'ProgramExecuted': {
      const { outcomes, ...execution } = event.data;
      return single({
        ...execution,
        outcomeKinds: outcomes.map(({ kind }) => kind),
        outcomeTexts: outcomes.map(({ text }) => text),
        outcomeErrors: outcomes.map(({ error }) => error),
        outcomeMessages: outcomes.map(({ message }) => message),
      });
    }
    case 'RunStarted':
    case 'RunPaused':
    case 'RunResumed':
    case 'RunForked':
    case 'RunCompleted':
    case 'RunFailed':
    case 'IterationStarted':
    case 'IterationCompleted':
    case 'ProposalSampled':
    case 'TaskAccepted':
    case 'TaskRejected':
    case 'SeedRowRead':
    case 'LearnabilityEstimated':
    case 'LearnerSample':
    case 'LearnerStepped':
    case 'CheckpointSaved':
    case 'ExampleEvaluated':
      return single(event.data);
  }
}

function single(record: object): PayloadRows {
  return {
    columns: Object.keys(record).map(snakeCase),
    common: Object.values(record).map(inJson),
    rows: [[]],
  };
}

/** A row an item, with what all have in common. */
function nested(record: object, items: readonly object[]): PayloadRows {
  const names = Object.keys(items[0] ?? {});
  const { columns, common } = single(record);
  return {
    columns: [...columns, ...names.map(snakeCase)],
    common,
    rows: items.map((item) => names.map((name) => inJson((item as Readonly<Record<string, unknown>>)[name]))),
  };
}

const names = new Map<string, string>();

export function snakeCase(name: string): string {
  let snake = names.get(name);
  if (snake === undefined) {
    snake = name
      .replace(/KiB$/, 'Kib')
      .replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`)
      .toLowerCase();
    names.set(name, snake);
  }
  return snake;
}

/** JSON has no nan and no infinities and would make null, which the tables read as 0: as texts they arrive. */
function inJson(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  return Array.isArray(value) && value.some((item) => inJson(item) !== item) ? value.map(inJson) : value;
}
