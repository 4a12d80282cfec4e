/** An event as rows of its table: names in snake case; attempts, components, scores and baselines one row each. */
import type { AzrEvent } from '../../schemas/generated/events.js';

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

/** @throws RangeError where a value has no place in the table. */
export function rowsOf(event: AzrEvent, at: LogPosition): TableRows {
  const { eventId, runId, iteration, correlationId, causationId, policyVersion, occurredAt, codeVersion } =
    event.envelope;
  const envelope = {
    event_id: eventId,
    run_id: runId,
    iteration,
    correlation_id: correlationId,
    causation_id: causationId,
    policy_version: policyVersion,
    occurred_at: timeText(occurredAt),
    code_version: codeVersion,
    log_partition: at.partition,
    log_offset: at.offset,
  };
  return { table: snakeCase(event.type), rows: payloadRows(event).map((row) => ({ ...envelope, ...row })) };
}

function timeText(milliseconds: number): string {
  if (!(milliseconds >= FIRST_TIME && milliseconds <= LAST_TIME))
    throw new RangeError(
      `envelope.occurredAt is ${milliseconds}; accepted are milliseconds since 1970 of the years 1900 to 2299`,
    );
  return new Date(milliseconds).toISOString().replace('T', ' ').slice(0, 23);
}

type Row = Record<string, unknown>;

function payloadRows(event: AzrEvent): Row[] {
  switch (event.type) {
    case 'SolutionSampled': {
      const { attempts, givenPairs, hiddenPairs, ...group } = event.data;
      const common = {
        ...snake(group),
        given_inputs: givenPairs.map(({ input }) => input),
        given_outputs: givenPairs.map(({ output }) => output),
        hidden_inputs: hiddenPairs.map(({ input }) => input),
        hidden_outputs: hiddenPairs.map(({ output }) => output),
      };
      return attempts.map((attempt) => ({ ...common, ...snake(attempt) }));
    }
    case 'SolutionVerified': {
      const { attempts, ...group } = event.data;
      return attempts.map((attempt) => ({ ...snake(group), ...snake(attempt) }));
    }
    case 'RewardAssigned': {
      const { attempts, ...subject } = event.data;
      return attempts.flatMap(({ sample, reward, components }) =>
        components.map(({ name, ...component }) => ({
          ...snake(subject),
          sample,
          reward,
          component: name,
          ...snake(component),
        })),
      );
    }
    case 'IntrinsicsMeasured': {
      const { measures, ...proposal } = event.data;
      return measures.map(({ name, raw }) => ({ ...snake(proposal), measure: name, raw }));
    }
    case 'EvaluationCompleted': {
      const { scores, ...evaluation } = event.data;
      return scores.map((score) => ({ ...snake(evaluation), ...snake(score) }));
    }
    case 'LearnerBatchPrepared': {
      const { baselines, ...batch } = event.data;
      return baselines.map((baseline) => ({ ...snake(batch), ...snake(baseline) }));
    }
    case 'ProgramExecuted': {
      const { outcomes, ...execution } = event.data;
      return [
        {
          ...snake(execution),
          outcome_kinds: outcomes.map(({ kind }) => kind),
          outcome_texts: outcomes.map(({ text }) => text),
          outcome_errors: outcomes.map(({ error }) => error),
          outcome_messages: outcomes.map(({ message }) => message),
        },
      ];
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
      return [snake(event.data)];
  }
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

function snake(record: object): Row {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [snakeCase(name), inJson(value as unknown)]),
  );
}

/** JSON has no nan and no infinities and would make null, which the tables read as 0: as texts they arrive. */
function inJson(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  return Array.isArray(value) ? value.map(inJson) : value;
}
