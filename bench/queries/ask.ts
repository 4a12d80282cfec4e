/** Saved queries asked and timed. The engine lives in this process, so the process's CPU time is the asking's. */
import { clickHouseClient, type ClickHouseAddress } from '../../pipelines/clickhouse/client.js';
import { parametersOf, savedQuery } from '../../pipelines/sql.js';

export interface Asked {
  readonly name: string;
  /** Median over the rounds: from the question to the parsed answer. */
  readonly milliseconds: number;
  /** The quickest round. */
  readonly leastMs: number;
  /** CPU time of engine and client in that asking, all threads: what it takes whatever else the machine does. */
  readonly cpuMs: number;
  readonly rowsRead: number;
  readonly answered: number;
}

interface Answer {
  readonly rows: number;
  readonly statistics: { readonly rows_read: number };
}

/** @param run what queries with a place {run} ask about; other places are empty, as `azr sql --saved` leaves them. */
export async function askAll(
  address: ClickHouseAddress,
  names: readonly string[],
  rounds: number,
  run: string,
): Promise<Asked[]> {
  const client = clickHouseClient(address);
  try {
    const asked: Asked[] = [];
    for (const name of names) {
      const query = await savedQuery(name);
      const query_params = Object.fromEntries(
        parametersOf(query).map((place) => [place, place === 'run' ? run : '']),
      );
      const times: { took: number; cpu: number; answer: Answer }[] = [];
      for (let round = 0; round < rounds; round++) {
        const began = performance.now();
        const before = process.cpuUsage();
        const result = await client.query({
          query,
          query_params,
          format: 'JSON',
          clickhouse_settings: { readonly: '1' },
        });
        const answer = (await result.json()) as unknown as Answer;
        const { user, system } = process.cpuUsage(before);
        times.push({ took: performance.now() - began, cpu: (user + system) / 1000, answer });
      }
      times.sort((a, b) => a.took - b.took);
      const median = times[times.length >> 1];
      if (median === undefined) throw new Error('no rounds');
      const { rows, statistics } = median.answer;
      asked.push({
        name,
        milliseconds: median.took,
        leastMs: times[0]?.took ?? median.took,
        cpuMs: Math.min(...times.map(({ cpu }) => cpu)),
        rowsRead: statistics.rows_read,
        answered: rows,
      });
    }
    return asked;
  } finally {
    await client.close();
  }
}
