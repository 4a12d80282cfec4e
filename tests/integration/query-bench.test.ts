/** The rows and the askings of `npm run bench -- queries`, with one small run: each saved query finds something, and right. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askAll } from '../../bench/queries/ask.js';
import { ITERATIONS, rowsOfRun, runName } from '../../bench/queries/synthetic.js';
import { clickHouseClient, migrate } from '../../pipelines/clickhouse/client.js';
import { runSql, savedQueries } from '../../pipelines/sql.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.js';

let clickHouse: TestClickHouse;

beforeAll(async () => {
  clickHouse = await startClickHouse();
  await migrate(clickHouse.address);
  const client = clickHouseClient(clickHouse.address);
  for (const { sql } of rowsOfRun(3, 2)) await client.command({ query: sql });
  await client.close();
}, 120_000);

afterAll(async () => {
  await clickHouse?.end();
});

it('asks every saved query about rows that each of them finds', async () => {
  const names = (await savedQueries()).map(({ name }) => name);
  const asked = await askAll(clickHouse.address, names, 1, runName(3));
  expect(asked.map(({ name, answered }) => ({ name, found: answered > 0 }))).toEqual(
    names.map((name) => ({ name, found: true })),
  );
  for (const { rowsRead } of asked) expect(rowsRead).toBeGreaterThan(0);
});

it('writes the last iteration twice, and the views count it once', async () => {
  const rows = async (query: string): Promise<unknown> =>
    JSON.parse((await runSql(clickHouse.address as ServiceAddresses, query, 'json')).toString('utf8'));
  const last = `run_id = '${runName(3)}' AND iteration = ${ITERATIONS}`;
  expect(
    await rows(
      `SELECT toUInt32(count()) AS n, toUInt32(uniqExact(task_id)) AS tasks FROM task_history WHERE ${last}`,
    ),
  ).toEqual([{ n: 2, tasks: 2 }]);
  expect(await rows(`SELECT toUInt32(count()) AS n FROM task_accepted FINAL`)).toEqual([
    { n: 2 * ITERATIONS },
  ]);
  // Sixteen verdicts on each task that was tried, two groups of eight.
  expect(
    await rows(
      `SELECT DISTINCT toUInt32(attempts) AS tried, toUInt32(length(every_attempt)) AS told FROM task_history ORDER BY tried`,
    ),
  ).toEqual([
    { tried: 0, told: 0 },
    { tried: 8, told: 8 },
    { tried: 16, told: 16 },
  ]);
});
