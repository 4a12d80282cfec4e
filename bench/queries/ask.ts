/** Saved queries asked and timed. */
import { clickHouseClient, type ClickHouseAddress } from '../../pipelines/clickhouse/client.js';
import { parametersOf, savedQuery } from '../../pipelines/sql.js';

export interface Asked {
  readonly name: string;
  /** Median over the rounds, the client's time. */
  readonly milliseconds: number;
  /** What the engine says of the same asking. */
  readonly engineMs: number;
  readonly rowsRead: number;
  readonly answered: number;
}

interface Answer {
  readonly rows: number;
  readonly statistics: { readonly elapsed: number; readonly rows_read: number };
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
      const times: { took: number; answer: Answer }[] = [];
      for (let round = 0; round < rounds; round++) {
        const began = performance.now();
        const result = await client.query({
          query,
          query_params,
          format: 'JSON',
          clickhouse_settings: { readonly: '1' },
        });
        const answer = (await result.json()) as unknown as Answer;
        times.push({ took: performance.now() - began, answer });
      }
      times.sort((a, b) => a.took - b.took);
      const median = times[times.length >> 1];
      if (median === undefined) throw new Error('no rounds');
      const { rows, statistics } = median.answer;
      asked.push({
        name,
        milliseconds: median.took,
        engineMs: statistics.elapsed * 1000,
        rowsRead: statistics.rows_read,
        answered: rows,
      });
    }
    return asked;
  } finally {
    await client.close();
  }
}
