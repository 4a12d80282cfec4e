/** The saved query published-metrics over two synthetic iterations, against values worked out by hand. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { rowsOf } from '../../pipelines/clickhouse/rows.js';
import { runSql, savedQuery } from '../../pipelines/sql.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import type { TaskKind } from '../../src/tasks/types.js';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.js';
import { event } from '../support/events.js';
import { iterationEvents } from '../support/synthetic-run.js';

let clickHouse: TestClickHouse;

beforeAll(async () => {
  clickHouse = await startClickHouse();
  await migrate(clickHouse.address);
  const client = clickHouseClient(clickHouse.address);
  const config = await resolveRunConfig('tiny');
  let offset = 0;
  const events = [1, 2].flatMap((iteration) => iterationEvents('metrics', iteration, config, {}));
  for (const written of [...events, ...measured]) {
    const { table, rows } = rowsOf(written, { partition: 0, offset: String(offset++) });
    if (rows.length > 0) await client.insert({ table, values: rows, format: 'JSONEachRow' });
  }
  await client.close();
}, 120_000);

/** Of three proposals of the second iteration. */
const measured = [
  { kind: 'deduction', measures: { complexity: 0.2, answer_diversity: 1 } },
  { kind: 'deduction', measures: { complexity: 0.6, answer_diversity: 0.5 } },
  { kind: 'induction', measures: { f_input_answer_diversity: 0.75 } },
].map(({ kind, measures }, i) =>
  event('IntrinsicsMeasured', { runId: 'metrics', iteration: 2 }, [i], {
    proposalId: `proposal ${i}`,
    taskId: `task ${i}`,
    kind: kind as TaskKind,
    measures: Object.entries(measures).map(([name, raw]) => ({ name, raw })),
  }),
);

afterAll(async () => {
  await clickHouse?.end();
});

it('gives each iteration its metrics, named as published where they mean the same', async () => {
  const answer = await runSql(
    clickHouse.address as ServiceAddresses,
    await savedQuery('published-metrics'),
    'json',
    { run: 'metrics' },
  );
  const rows = JSON.parse(answer.toString()) as { iteration: number; name: string; value: number }[];
  const of = (iteration: number): Record<string, number> =>
    Object.fromEntries(
      rows.filter((row) => row.iteration === iteration).map(({ name, value }) => [name, value]),
    );
  const first = {
    // Four deduction proposals: two accepted with mean accuracies 1/2 and 0, one repeat, one without a program.
    'gen_code_o/format_score': 0.75,
    'gen_code_o/num_valid_programs': 2,
    'azr/gen_code_o/learnability': 0.125,
    // One of abduction, with mean accuracy 3/4.
    'gen_code_i/format_score': 1,
    'gen_code_i/num_valid_programs': 1,
    'azr/gen_code_i/learnability': 0.25,
    'pred_code_o/accuracy': 1,
    'pred_code_o/format_score': 1,
    'azr/pred_code_o/response_length': 2,
    'pred_code_i/accuracy': 0.5,
    'pred_code_i/format_score': 0.5,
    'azr/pred_code_i/response_length': 2,
    'actor/entropy': 1.5,
    'actor/grad_norm': 0.5,
    'actor/pg_clipfrac': 0.125,
    'azr/actor/loss': 0.25,
    'azr/actor/approx_kl': 0.001,
    'azr/val/held-out.v1/deduction': 0.6,
    'azr/val/held-out.v1/abduction': 0.55,
  };
  expect(of(1)).toEqual(first);
  expect(of(2)).toEqual({
    ...first,
    'azr/val/held-out.v1/abduction': 0.6,
    'azr/gen_code_o/complexity': 0.4,
    'azr/gen_code_o/answer_diversity': 0.75,
    'azr/gen_code_f/input_answer_diversity': 0.75,
  });
});
