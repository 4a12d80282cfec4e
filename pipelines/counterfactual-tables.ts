/** Rows of counterfactuals into their own tables: written by `azr replay --with` alone (docs/adr/0005). */
import type { ClickHouseClient } from '@clickhouse/client';
import { clickHouseClient, migrate, type ClickHouseAddress } from './clickhouse/client.js';
import { snakeCase } from './clickhouse/rows.js';

export interface CounterfactualSummary {
  readonly firstIteration: number;
  readonly lastIteration: number;
  readonly changesJson: string;
  readonly configJson: string;
  readonly codeVersion: string;
}

type Fields = Readonly<Record<string, unknown>>;

export class CounterfactualTables {
  readonly #client: ClickHouseClient;
  readonly #runId: string;

  private constructor(client: ClickHouseClient, runId: string) {
    this.#client = client;
    this.#runId = runId;
  }

  static async open(address: ClickHouseAddress, runId: string): Promise<CounterfactualTables> {
    await migrate(address);
    return new CounterfactualTables(clickHouseClient(address), runId);
  }

  /** Rows of one iteration, their fields named as the columns are, in camel case. Rows of the same key are replaced. */
  async write(
    table: 'counterfactual_rewards' | 'counterfactual_advantages',
    counterfactualId: string,
    rows: readonly Fields[],
  ): Promise<void> {
    if (rows.length === 0) return;
    await this.#client.insert({
      table,
      values: rows.map((row) => this.#columns(counterfactualId, row)),
      format: 'JSONEachRow',
    });
  }

  /** Last: the newest counterfactual that saved queries ask about by default is complete. */
  async complete(counterfactualId: string, summary: CounterfactualSummary): Promise<void> {
    await this.#client.insert({
      table: 'counterfactuals',
      values: [
        {
          ...this.#columns(counterfactualId, { ...summary }),
          computed_at: new Date().toISOString().replace('T', ' ').slice(0, 23),
        },
      ],
      format: 'JSONEachRow',
    });
  }

  #columns(counterfactualId: string, fields: Fields): Record<string, unknown> {
    return {
      run_id: this.#runId,
      counterfactual_id: counterfactualId,
      ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [snakeCase(name), value])),
    };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
