/** Every saved query, on rows of two synthetic iterations in the real engine; those about one run with its parameters. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { rowsOf } from '../../pipelines/clickhouse/rows.js';
import { CounterfactualTables } from '../../pipelines/counterfactual-tables.js';
import {
  completeParameters,
  parametersOf,
  requireRun,
  runSql,
  savedQueries,
  savedQuery,
} from '../../pipelines/sql.js';
import type { AzrEvent, EventDataByType } from '../../schemas/generated/events.js';
import { UsageError } from '../../src/config/errors.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.js';
import { event } from '../support/events.js';
import { iterationEvents, runStarted } from '../support/synthetic-run.js';

type Row = Record<string, unknown>;

const RUN = 'asked';
const saved = await savedQueries();
let clickHouse: TestClickHouse;
let addresses: ServiceAddresses;

beforeAll(async () => {
  clickHouse = await startClickHouse();
  addresses = clickHouse.address as ServiceAddresses;
  await migrate(clickHouse.address);
  const client = clickHouseClient(clickHouse.address);
  const config = await resolveRunConfig('tiny');
  let offset = 0;
  const family = ['c', 'b', 'a'].map((taskId, i) =>
    event('TaskAccepted', { runId: RUN, iteration: 3 - i }, ['family', taskId], {
      ...familyTask,
      taskId,
      referenceTaskIds: taskId === 'c' ? ['b', 'a'] : taskId === 'b' ? ['a'] : [],
    }),
  );
  const events = [
    runStarted(RUN, config),
    ...[1, 2].flatMap((iteration) => iterationEvents(RUN, iteration, config, {})).map(withGroups),
    ...family,
    event('SeedRowRead', { runId: RUN, iteration: 0 }, ['seed', 1], {
      fileName: 'seeds.jsonl',
      fileDigest: 'digest',
      line: 1,
      rowJson: JSON.stringify({ snippet: 'def f(x):\n    return x', input: '1', output: '1' }),
    }),
  ];
  // Twice: what was delivered again is no second fact.
  for (const given of [...events, ...events]) {
    const { table, rows } = rowsOf(given, { partition: 0, offset: String(offset++) });
    if (rows.length > 0) await client.insert({ table, values: rows, format: 'JSONEachRow' });
  }
  await client.close();
  const tables = await CounterfactualTables.open(addresses, RUN);
  await tables.write('counterfactual_advantages', 'other', [
    {
      ...{
        iteration: 1,
        eventId: 'row',
        role: 'solve',
        kind: 'deduction',
        subjectId: 'group',
        taskId: 'a',
        sample: 0,
      },
      ...{ recordedReward: 1, reward: 0.5, recordedAdvantage: 0.5, advantage: -0.25 },
    },
  ]);
  await tables.complete('other', {
    firstIteration: 1,
    lastIteration: 2,
    changesJson: '[]',
    configJson: '{}',
    codeVersion: 'test',
  });
  await tables.close();
}, 120_000);

afterAll(async () => {
  await clickHouse?.end();
});

const familyTask: EventDataByType['TaskAccepted'] = {
  taskId: '',
  proposalId: 'family',
  origin: 'proposal',
  kind: 'deduction',
  index: 0,
  code: 'def f(x):\n    return x',
  originalCode: 'def f(x):\n    return x',
  inputs: ['1'],
  outputs: ['1'],
  message: null,
  imports: [],
  thought: null,
  compositeTaskIds: [],
  referenceTaskIds: [],
  formatOk: true,
};

/** A learner's step with statistics by role and kind, as the engine gives them. */
function withGroups(given: AzrEvent): AzrEvent {
  if (given.type !== 'LearnerStepped') return given;
  const groups = { 'solve.deduction': { rows: 8, tokens: 40, entropy: 0.25, loss: 0.1 } };
  return { ...given, data: { ...given.data, groupsJson: JSON.stringify(groups) } };
}

async function ask(name: string, given: Readonly<Record<string, string>> = {}): Promise<Row[]> {
  const query = await savedQuery(name);
  const answer = await runSql(addresses, query, 'json', await completeParameters(addresses, query, given));
  return JSON.parse(answer.toString('utf8')) as Row[];
}

describe('saved queries', () => {
  it('are at least fifteen, each with a question in English', () => {
    expect(saved.length).toBeGreaterThanOrEqual(15);
    for (const { name, question } of saved) expect([name, question.endsWith('?')]).toEqual([name, true]);
  });

  /** Nothing of a synthetic iteration of two attempts a task is tried sixteen times. */
  const EMPTY = ['hardest-tasks'];

  it.each(saved.map(({ name }) => name))('%s answers, by default about the newest run', async (name) => {
    const rows = await ask(name);
    if (!EMPTY.includes(name)) expect(rows.length).toBeGreaterThan(0);
    const places = parametersOf(await savedQuery(name));
    if (places.includes('run')) expect(await ask(name, { run: 'no-such-run' })).toEqual([]);
  });

  it('count a fact once, however often it was delivered', async () => {
    const rows = await ask('repeats', { run: RUN });
    const deductions = rows.find(({ iteration, kind }) => iteration === 1 && kind === 'deduction');
    // Four proposals and the youngest ancestor; one of them a repeat.
    expect(Number(deductions?.['proposals'])).toBe(5);
    expect(deductions?.['duplicate_share']).toBe(0.2);
  });

  it('find ancestors at their least distance, the task itself first', async () => {
    const rows = await ask('ancestors', { run: RUN, task: 'c' });
    expect(rows.map((row) => [row['task_id'], Number(row['depth'])])).toEqual([
      ['c', 0],
      ['b', 1],
      ['a', 1],
    ]);
    expect((await ask('ancestors', { run: RUN })).map((row) => row['task_id'])).toEqual(['c', 'b', 'a']);
  });

  it('take statistics of a role and kind out of the learner’s step', async () => {
    expect(await ask('entropy-by-role', { run: RUN })).toEqual(
      [1, 2].map((iteration) => ({
        iteration,
        role_and_kind: 'solve.deduction',
        entropy: 0.25,
        rows: 8,
        tokens: 40,
      })),
    );
  });

  it('a run that is not there is named, with the nearest one that is', async () => {
    await expect(requireRun(addresses, RUN)).resolves.toBeUndefined();
    await expect(requireRun(addresses, 'aksed')).rejects.toThrow(
      new UsageError(
        '--run is "aksed", which no run is called; did you mean asked? (npx azr runs lists all)',
      ),
    );
  });

  it('refuse a parameter that they do not have', async () => {
    await expect(ask('storage', { run: RUN })).rejects.toThrow(
      new UsageError('--param names "run", which the query does not have; accepted are none'),
    );
  });
});
